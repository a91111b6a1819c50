"""Which run last wrote a file, as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas.base import CamelSchema
from app.services.origins import PATH_LENGTH


class OriginQuery(ma.Schema):
    """Which file."""

    path = fields.String(
        required=True,
        validate=validate.Length(1, PATH_LENGTH),
        metadata={"description": "From the top of the data set; a folder has an origin, too.", "example": "a/b.csv"},
    )


class OriginSchema(CamelSchema):
    """The newest commit that wrote or removed a path, and the run that made it."""

    path = fields.String()
    commit = fields.String()
    time = fields.String(metadata={"format": "date-time"})
    subject = fields.String()
    is_removed = fields.Boolean(metadata={"description": "It is in the data set no more: that commit removed it."})
    run_id = fields.Integer(allow_none=True)
    tool = fields.String(allow_none=True)
    node = fields.String(allow_none=True)
    operator = fields.String(allow_none=True)
    image_digest = fields.String(allow_none=True)
    is_recorded = fields.Boolean(
        metadata={
            "description": "This node has that run; else the five keys before are what the commit says of itself."
        }
    )
