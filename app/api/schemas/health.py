"""Health as JSON."""

from __future__ import annotations

from marshmallow import fields

from app.api.schemas.base import CamelSchema


class Alive(CamelSchema):
    """A process that answers."""

    status = fields.String(required=True, metadata={"example": "alive"})


class SystemSchema(CamelSchema):
    """Whether one system answers."""

    is_up = fields.Boolean(required=True)
    detail = fields.String(
        required=True, metadata={"description": "Its version, or what is wrong.", "example": "15.18"}
    )


class Readiness(CamelSchema):
    """Whether runs can be accepted and executed, and which system stands in the way."""

    status = fields.String(required=True, metadata={"enum": ["ready", "not ready"]})
    systems = fields.Dict(keys=fields.String(), values=fields.Nested(SystemSchema), required=True)
