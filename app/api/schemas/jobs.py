"""Jobs and their firings as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

import marshmallow as ma
from marshmallow import fields, validate

from app.api.pages import instant
from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, Cursor, Instant, Whole, obeys, page_schema, page_size
from app.api.schemas.runs import Wishes
from app.clock import utc_now
from app.models.job import FiringOutcome, Job, MisfirePolicy, OverlapPolicy
from app.services.occurrences import CRONTAB_LENGTH
from app.services.tool_rules import RULES
from app.services.turns import pending_instant

MAX_AGE_SECONDS_MOST = 366 * 86_400
JITTER_SECONDS_MOST = 86_400
CATCH_UP_MOST = 1000
MISFIRES = [str(word) for word in MisfirePolicy]
OVERLAPS = [str(word) for word in OverlapPolicy]
OUTCOMES = [str(word) for word in FiringOutcome]


class Timing(CamelSchema):
    """When a job is due: either `schedule` or `at`."""

    schedule = fields.String(
        validate=validate.Length(max=CRONTAB_LENGTH),
        metadata={"description": "daily, weekly, monthly or crontab text of five fields.", "example": "daily"},
    )
    at = Instant(metadata={"description": "One instant, with its zone.", "example": "2030-01-01T00:00:00Z"})
    time_of_day = fields.String(
        metadata={"description": "HH:MM, for daily, weekly and monthly.", "maxLength": 5, "example": "02:30"}
    )
    zone = fields.String(
        validate=validate.Length(max=limits.WORD_LENGTH),
        metadata={"description": "A name of the IANA list.", "example": "Europe/Athens"},
    )
    jitter_seconds = Whole(
        validate=validate.Range(0, JITTER_SECONDS_MOST),
        metadata={"description": "Fire later by less than this, always by the same.", "example": 600},
    )


class JobChange(Timing):
    """What to change of a job; what is left out stays as it is. `parameters` are replaced as a whole."""

    tool = fields.String(validate=validate.Length(max=limits.NAME_LENGTH), metadata={"example": "spike"})
    misfire = fields.String(
        validate=validate.OneOf(MISFIRES), metadata={"description": "What to do with instants that passed."}
    )
    max_age_seconds = Whole(
        validate=validate.Range(1, MAX_AGE_SECONDS_MOST),
        metadata={"description": "How late a run may begin.", "example": 3600},
    )
    catch_up_limit = Whole(
        validate=validate.Range(1, CATCH_UP_MOST),
        metadata={"description": "With the misfire policy `all`: make up for so many instants at most, the newest."},
    )
    overlap = fields.String(
        validate=validate.OneOf(OVERLAPS), metadata={"description": "What to do while the run before is not over."}
    )
    parameters = fields.Nested(Wishes)
    description = fields.String(
        validate=obeys(RULES["description"]), metadata={"description": "For people.", **limits.PROSE}
    )


class NewJob(JobChange):
    """What to run and when: either `schedule` or `at`."""

    id = fields.String(metadata={"description": "The tool's name unless another is given.", **limits.NAME})
    tool = fields.String(required=True, validate=validate.Length(max=limits.NAME_LENGTH), metadata={"example": "spike"})


@dataclass(frozen=True)
class JobView:
    """A job with the number of its last run; a job of the product's own is a mapping."""

    job: Job | Mapping[str, Any]
    last_run_id: int | None = None

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.job["id"] if isinstance(self.job, Mapping) else self.job.id)

    @property
    def is_internal(self) -> bool:
        """Whether it is one of the product's own jobs."""
        return isinstance(self.job, Mapping)

    @property
    def next_due_at(self) -> datetime | None:
        """The instant that it fires for next."""
        return self.job.get("next_run_at") if isinstance(self.job, Mapping) else pending_instant(self.job)

    @property
    def paused_at(self) -> datetime | None:
        """Since when it is paused; a pause that has ended by itself is none, even before the clock has noted it."""
        return self.job.paused_at if self._is_paused(self.job) else None

    @property
    def paused_until(self) -> datetime | None:
        """When its pause ends by itself."""
        return self.job.paused_until if self._is_paused(self.job) else None

    @property
    def pause_reason(self) -> str | None:
        """Why it is paused."""
        return self.job.pause_reason if self._is_paused(self.job) else None

    @staticmethod
    def _is_paused(job: Job | Mapping[str, Any]) -> TypeGuard[Job]:
        return isinstance(job, Job) and job.is_paused(utc_now())


class JobSchema(CamelSchema):
    """A job as it is now."""

    id = fields.String(metadata={"example": "spike"})
    tool = fields.String(metadata={"example": "spike"})
    schedule = fields.String(
        attribute="trigger", metadata={"description": "Crontab text, or an instant.", "example": "0 0 * * *"}
    )
    is_once = fields.Boolean()
    zone = fields.String(metadata={"example": "UTC"})
    misfire = fields.String(allow_none=True, metadata={"enum": [*MISFIRES, None]})
    max_age_seconds = fields.Integer(allow_none=True)
    catch_up_limit = fields.Integer(allow_none=True)
    overlap = fields.String(allow_none=True, metadata={"enum": [*OVERLAPS, None]})
    jitter_seconds = fields.Integer(allow_none=True)
    parameters = fields.Nested(Wishes)
    description = fields.String()
    owner = fields.String()
    submitter = fields.String()
    created_time = fields.AwareDateTime(attribute="created_at", allow_none=True)
    updated_time = fields.AwareDateTime(attribute="updated_at", allow_none=True)
    next_due_time = fields.AwareDateTime(
        attribute="next_due_at", allow_none=True, metadata={"description": "The next instant of the schedule."}
    )
    next_run_time = fields.AwareDateTime(
        attribute="next_run_at", allow_none=True, metadata={"description": "When it fires for that, jitter included."}
    )
    paused_time = fields.AwareDateTime(attribute="paused_at", allow_none=True)
    paused_until = fields.AwareDateTime(allow_none=True)
    pause_reason = fields.String(allow_none=True)
    is_internal = fields.Boolean()
    last_run_id = fields.Integer(allow_none=True)

    def get_attribute(self, obj: JobView, attr: str, default: Any) -> Any:
        """Read from the view's job what the view itself does not have; a mapping may leave things out."""
        if hasattr(obj, attr):
            return getattr(obj, attr)
        return super().get_attribute(obj.job, attr, None if obj.is_internal else default)


class Pause(CamelSchema):
    """Why a job is paused."""

    reason = fields.String(
        load_default="",
        validate=obeys(RULES["description"]),
        metadata={**limits.PROSE, "example": "the source is down"},
    )
    until = Instant(
        load_default=None, metadata={"description": "When it ends by itself.", "example": "2030-01-01T00:00:00Z"}
    )


class JobQuery(ma.Schema):
    """Which jobs."""

    internal = fields.Boolean(load_default=False, metadata={"description": "Add the product's own jobs."})
    limit = page_size()
    cursor = Cursor(load_default="")


class FiringQuery(ma.Schema):
    """Which page of the firings, newest first."""

    limit = page_size()
    cursor = Cursor(instant, load_default=None)


class FiringSchema(CamelSchema):
    """What became of one due instant."""

    due_time = fields.AwareDateTime(attribute="due_at")
    recorded_time = fields.AwareDateTime(attribute="recorded_at")
    outcome = fields.String(metadata={"enum": OUTCOMES})
    reason = fields.String()
    run_id = fields.Integer(allow_none=True)
    not_before = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When a run that makes up for a missed instant may begin."}
    )


JobPage = page_schema(JobSchema, "JobPage")
FiringPage = page_schema(FiringSchema, "FiringPage")
