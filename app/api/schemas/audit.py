"""The audit log as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from app.api.pages import number
from app.api.schemas.base import CamelKeys, CamelSchema, Cursor, Instant, page_schema, page_size, searched


class AuditQuery(ma.Schema):
    """Which entries, newest first."""

    actor = searched(metadata={"description": "The identifier of a token."})
    action = searched(metadata={"description": "A use case, as in runs.submit_run."})
    target = searched(metadata={"description": "How the target begins."})
    since = Instant(data_key="from", load_default=None, metadata={"description": "The first instant, with its zone."})
    until = Instant(data_key="to", load_default=None, metadata={"description": "The first instant after the time."})
    limit = page_size()
    cursor = Cursor(number, load_default=None)


class AuditSchema(CamelSchema):
    """One change that was asked for, or one call that was refused."""

    id = fields.Integer(metadata={"example": 1})
    time = fields.AwareDateTime(attribute="at")
    actor = fields.String(metadata={"example": "root"})
    owner = fields.String(allow_none=True)
    action = fields.String(metadata={"example": "runs.submit_run"})
    target = fields.String(metadata={"example": "/api/runs"})
    address = fields.String(allow_none=True, metadata={"example": "127.0.0.1"})
    request_id = fields.String(allow_none=True)
    result = fields.String(
        allow_none=True,
        metadata={"description": "The status of the answer, or null: under way, or cut short.", "example": "202"},
    )
    details = CamelKeys()


AuditPage = page_schema(AuditSchema, "AuditPage")
