"""A job (what to run and when) and its firings (what became of each due instant)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class MisfirePolicy(StrEnum):
    """What to do with instants that passed while no agent was there."""

    LAST = "last"
    ALL = "all"
    NONE = "none"


class OverlapPolicy(StrEnum):
    """What to do when the job's run before is not over yet."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


class FiringOutcome(StrEnum):
    """What became of a due instant."""

    FIRED = "fired"
    SKIPPED = "skipped"
    MISSED = "missed"
    PAUSED = "paused"


class Job(Base):
    """What to run and when. ``trigger`` is crontab text, or an ISO instant where ``is_once``.

    ``next_run_at`` is the truth of the schedule: an index on it answers "what is due". It is null when the job
    will never be due again. The job's jitter, less than ``jitter_seconds``, is added to it already.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_next_run_at", "next_run_at", postgresql_where=text("next_run_at is not null")),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tool: Mapped[str]
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    trigger: Mapped[str]
    is_once: Mapped[bool] = mapped_column(server_default=text("false"))
    zone: Mapped[str] = mapped_column(server_default="UTC")
    misfire: Mapped[str] = mapped_column(server_default=MisfirePolicy.LAST.value)
    max_age_seconds: Mapped[int]
    overlap: Mapped[str] = mapped_column(server_default=OverlapPolicy.SKIP.value)
    jitter_seconds: Mapped[int] = mapped_column(server_default="0")
    catch_up_limit: Mapped[int] = mapped_column(server_default="100")
    description: Mapped[str] = mapped_column(server_default="")
    owner: Mapped[str]
    submitter: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    next_run_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str | None]
    paused_until: Mapped[datetime | None]

    def is_paused(self, at: datetime) -> bool:
        """Tell whether the job is paused at that instant; a pause that has an end is over by itself."""
        return self.paused_at is not None and (self.paused_until is None or at < self.paused_until)


class Firing(Base):
    """One due instant of a job. The unique index is what makes one instant fire at most one run.

    ``owner`` is whose the job was then: its id may become another owner's after it was removed.
    ``not_before`` is the turn of a run that makes up for a missed instant: such runs begin one after the other.
    """

    __tablename__ = "firings"
    __table_args__ = (
        Index("uq_firings_job_id_due_at", "job_id", "due_at", unique=True),
        Index("ix_firings_run_id", "run_id", postgresql_where=text("run_id is not null")),
        Index("ix_firings_recorded_at", "recorded_at"),
        Index("ix_firings_not_before", "not_before", postgresql_where=text("not_before is not null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[str]
    owner: Mapped[str]
    due_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    outcome: Mapped[str]
    reason: Mapped[str]
    run_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="SET NULL"))
    not_before: Mapped[datetime | None]
