"""What is asked about jobs, and answered: when one will be due, and why it ran or did not run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, QueryInteger
from app.api.schemas.jobs import OUTCOMES, FiringSchema, Timing
from app.services.why import Because

PREVIEW_DEFAULT = 10
PREVIEW_MOST = 100
FIRST_YEAR, LAST_YEAR = 1970, 9000


class PreviewCount(ma.Schema):
    """How far a preview looks."""

    count = QueryInteger(
        load_default=PREVIEW_DEFAULT,
        validate=validate.Range(1, PREVIEW_MOST),
        metadata={"description": "So many instants at most."},
    )


class Unstored(Timing):
    """The schedule of a job that need not exist; `id` decides what its jitter comes to."""

    id = fields.String(
        validate=validate.Length(max=limits.NAME_LENGTH), metadata={"description": "The id that the job would have."}
    )


class ComingSchema(CamelSchema):
    """A due instant that is still to come."""

    due_time = fields.AwareDateTime(attribute="due_at", metadata={"description": "The instant of the schedule."})
    local_time = fields.AwareDateTime(
        attribute="local_at", metadata={"description": "The same by the clock of the zone, with its offset."}
    )
    fire_time = fields.AwareDateTime(attribute="fire_at", metadata={"description": "When it fires, jitter included."})
    is_paused = fields.Boolean(metadata={"description": "It will be recorded as paused, and not run."})


class PreviewSchema(CamelSchema):
    """The next instants of a schedule."""

    schedule = fields.String(attribute="job.trigger", metadata={"example": "0 0 * * *"})
    zone = fields.String(attribute="job.zone", metadata={"example": "UTC"})
    jitter_seconds = fields.Integer(attribute="job.jitter_seconds")
    offset_seconds = fields.Integer(metadata={"description": "What the jitter comes to for this job."})
    items = fields.List(fields.Nested(ComingSchema), required=True)


class LocalOrInstant(fields.DateTime):
    """An instant with its zone, or a local time without one, which stays naive."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        at = super()._deserialize(value, attr, data, **kwargs)
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise ma.ValidationError(f"Must be between the years {FIRST_YEAR} and {LAST_YEAR}.")
        return at if at.tzinfo is None else at.astimezone(UTC)


class WhyQuery(ma.Schema):
    """Which instant is asked about."""

    at = LocalOrInstant(
        required=True,
        metadata={"description": "With a zone, or by the job's clock.", "example": "2030-01-01T00:00"},
    )


class AnswerSchema(CamelSchema):
    """Why a job ran or did not run."""

    job_id = fields.String(metadata={"example": "spike"})
    time = fields.AwareDateTime(attribute="at", metadata={"description": "The minute that was asked about."})
    local_time = fields.AwareDateTime(attribute="local_at")
    outcome = fields.String(metadata={"enum": [*OUTCOMES, *(str(word) for word in Because)]})
    answer = fields.String(metadata={"description": "The answer in words."})
    due_time = fields.AwareDateTime(attribute="due_at", allow_none=True)
    firing = fields.Nested(FiringSchema, allow_none=True)
    run_status = fields.String(allow_none=True)
    previous_due_time = fields.AwareDateTime(attribute="previous_due_at", allow_none=True)
    next_due_time = fields.AwareDateTime(attribute="next_due_at", allow_none=True)
