"""Files of runs as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from app.api.schemas.base import CamelSchema


class FileSchema(CamelSchema):
    """A file that a run reads."""

    file_id = fields.String(metadata={"description": "Its name.", "example": "sources.csv"})
    run_id = fields.Integer(metadata={"description": "The run that it was uploaded to.", "example": 1})
    size_bytes = fields.Integer(metadata={"example": 2048})
    sha256 = fields.String(metadata={"description": "Of its bytes, in hex."})
    uploaded_by = fields.String(metadata={"description": "The token's identifier.", "example": "laptop"})
    uploaded_time = fields.AwareDateTime(attribute="uploaded_at")


class FileList(ma.Schema):
    """The files that a run sees, by name; they are few, so there is one page."""

    items = fields.List(fields.Nested(FileSchema), required=True)
    next = fields.String(required=True, allow_none=True)
