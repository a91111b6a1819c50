"""When a job will be due: its next instants, on the clock of its zone too, and when it fires for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.models.job import Job
from app.services.turns import check_usable, jitter_of, next_instants


@dataclass(frozen=True)
class Coming:
    """A due instant that is still to come; ``local_at`` is the same instant in the job's zone."""

    due_at: datetime
    local_at: datetime
    fire_at: datetime
    is_paused: bool


@dataclass(frozen=True)
class Preview:
    """A job, stored or not, and its next instants in order. ``offset_seconds`` is what its jitter comes to."""

    job: Job
    offset_seconds: int
    items: list[Coming]


def preview_of(job: Job, now: datetime, count: int) -> Preview:
    """Give the next instants of a job, at most ``count``; none lies more than 100 years ahead.

    Raises:
        Invalid: its schedule cannot be used.
    """
    check_usable(job)
    jitter, zone = jitter_of(job), ZoneInfo(job.zone)
    items = [
        Coming(at, at.astimezone(zone), at + jitter, job.is_paused(at + jitter))
        for at in next_instants(job, now, count)
    ]
    return Preview(job, int(jitter.total_seconds()), items)
