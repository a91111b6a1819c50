"""Notifications as JSON."""

from __future__ import annotations

from marshmallow import fields

from app.api.schemas.base import CamelSchema, page_schema


class NotificationSchema(CamelSchema):
    """A message to everybody who looks after the data."""

    id = fields.String()
    node = fields.String(metadata={"example": "node-a"})
    kind = fields.String(metadata={"example": "spike"})
    tool = fields.String(metadata={"example": "spike"})
    run_id = fields.Integer(allow_none=True)
    incident_id = fields.Integer(allow_none=True)
    summary = fields.String()
    values = fields.Raw()


NotificationPage = page_schema(NotificationSchema, "NotificationPage")
