"""What a run's backend says, as JSON."""

from __future__ import annotations

from marshmallow import fields, validate

from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, obeys
from app.models.run import RunStatus
from app.services.tool_rules import text
from app.services.webhooks import KEYS_MOST, identification_keys

STATUSES = [str(status) for status in RunStatus]


class Word(CamelSchema):
    """What a backend says about its run: a status, keys by which it knows the run, or both."""

    status = fields.String(validate=validate.Length(max=40), metadata={"enum": STATUSES})
    identification_keys = fields.Dict(
        keys=fields.String(),
        values=limits.line(),
        validate=obeys(identification_keys),
        metadata={
            "maxProperties": KEYS_MOST,
            "description": f"Added to those that the run has; {KEYS_MOST} at most.",
            "example": {"build_number": "17"},
        },
    )
    message = fields.String(
        validate=obeys(text), metadata={"description": "Why; kept with a change of the status.", **limits.PROSE}
    )


class Known(CamelSchema):
    """What is known of the run afterwards."""

    run_id = fields.Integer(attribute="id", metadata={"example": 1})
    status = fields.String(metadata={"enum": STATUSES})
    identification_keys = fields.Dict(keys=fields.String(), values=fields.String())
