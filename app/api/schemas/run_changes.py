"""What people ask of runs that exist already, as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, obeys
from app.api.schemas.runs import Parameters
from app.models.run import Cause
from app.services.tool_rules import RULES

REASON_LENGTH = 1000
RESOLUTIONS = ["SUCCEEDED", "FAILED", "ABORTED"]


class Resubmission(CamelSchema):
    """What another run is to do otherwise than the one before."""

    parameters = fields.Nested(Parameters, metadata={"description": "Each key stands in place of the old one."})
    description = fields.String(
        validate=obeys(RULES["description"]), metadata={"description": "For people.", **limits.PROSE}
    )


class Resolution(CamelSchema):
    """How a run in doubt went."""

    status = fields.String(
        required=True, validate=validate.Length(max=40), metadata={"enum": RESOLUTIONS, "example": "FAILED"}
    )
    reason = fields.String(
        required=True,
        validate=[
            validate.Length(max=REASON_LENGTH),
            validate.Regexp(r".*\S", error="Must say something."),
            obeys(RULES["description"]),
        ],
        metadata={"description": "Why that is known.", "example": "The data of the day before was left unchanged."},
    )


class AttemptSchema(CamelSchema):
    """An attempt that was followed by another."""

    number = fields.Integer(metadata={"example": 1})
    node = fields.String(allow_none=True)
    start_time = fields.AwareDateTime(attribute="started_at", allow_none=True)
    end_time = fields.AwareDateTime(attribute="ended_at")
    exit_code = fields.Integer(allow_none=True)
    cause = fields.String(metadata={"enum": [str(cause) for cause in Cause]})
    message = fields.String()
    image_digest = fields.String(allow_none=True)
    first_byte = fields.Integer(metadata={"description": "Where its output begins within the run's."})


class AttemptList(ma.Schema):
    """A run's earlier attempts, oldest first; a run has few, so there is one page."""

    items = fields.List(fields.Nested(AttemptSchema), required=True)
    next = fields.String(required=True, allow_none=True)
