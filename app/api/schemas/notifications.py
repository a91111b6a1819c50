"""Notifications as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.api.pages import triple
from app.api.schemas.base import CamelSchema, Cursor, page_schema, page_size
from app.models.notification import Channel, DeliveryState


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


class DeliveryQuery(ma.Schema):
    """Which deliveries are listed."""

    state = fields.String(load_default=None, validate=validate.OneOf(list(DeliveryState)))
    limit = page_size()
    cursor = Cursor(triple, load_default=None)


class DeliverySchema(CamelSchema):
    """A notification on its way to one receiver."""

    id = fields.String(metadata={"description": "Of the notification, as the receiver sees it."})
    kind = fields.String(metadata={"example": "spike"})
    tool = fields.String(metadata={"example": "spike"})
    channel = fields.String(validate=validate.OneOf(list(Channel)))
    target = fields.String(
        metadata={"description": "Whose turn it is: an address of e-mail, or a host with a part of a hash."}
    )
    state = fields.String(validate=validate.OneOf(list(DeliveryState)))
    attempts = fields.Integer()
    message = fields.String(allow_none=True, metadata={"description": "Why the last attempt failed."})
    due_time = fields.AwareDateTime(
        attribute="due_at", allow_none=True, metadata={"description": "When the next attempt is made."}
    )
    finished_time = fields.AwareDateTime(attribute="finished_at", allow_none=True)


DeliveryPage = page_schema(DeliverySchema, "DeliveryPage")


class SentSchema(ma.Schema):
    """The notification that was written."""

    id = fields.String(required=True)
