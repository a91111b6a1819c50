"""Locks as JSON."""

from __future__ import annotations

from marshmallow import fields

from app.api.schemas.base import CamelSchema, page_schema


class LockSchema(CamelSchema):
    """A lock that a run holds; who that is is null where the stored value cannot be read."""

    key = fields.String(metadata={"example": "archive"})
    run_id = fields.Integer(allow_none=True, metadata={"description": "The run's number at its own node."})
    node = fields.String(allow_none=True, metadata={"example": "node-a"})
    since = fields.AwareDateTime(allow_none=True)
    token = fields.Integer(metadata={"description": "The fencing token: greater than that of every earlier holder."})


LockPage = page_schema(LockSchema, "LockPage")
