"""When a job fires: at the turn of each due instant, which is the instant, later by the job's jitter.

The jitter is a function of the job's id, so it is the same at every firing and on every node. Pure arithmetic, without
a clock. ``next_run_at`` of a job is the turn of its pending instant, the first one that nothing was recorded of yet.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from app.models.job import Job
from app.services.occurrences import Schedule, due_between, next_after, parse_schedule, upcoming

_HASHED_BYTES = 8
_BEFORE = timedelta.resolution
_MINUTE = timedelta(minutes=1)
_FORESIGHT = timedelta(days=36_525)


def offset_of(job_id: str, jitter_seconds: int) -> timedelta:
    """Give by how much each firing of a job is later than its instant: whole seconds, at least 0, below the jitter.

    A longer jitter never makes it smaller.
    """
    share = int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:_HASHED_BYTES])
    return timedelta(seconds=share * jitter_seconds >> 8 * _HASHED_BYTES)


def jitter_of(job: Job) -> timedelta:
    """Give by how much each firing of a job is later than its instant."""
    return offset_of(job.id, job.jitter_seconds)


def pending_instant(job: Job) -> datetime | None:
    """Give the instant that a job fires for next, or None where it never fires again."""
    return None if job.next_run_at is None else job.next_run_at - jitter_of(job)


def first_after(job: Job, after: datetime) -> datetime | None:
    """Give the first instant of a job strictly after ``after``, or None where there is none."""
    if job.is_once:
        at = datetime.fromisoformat(job.trigger)
        return at if at > after else None
    return next_after(_schedule(job), after)


def turn_of(job: Job, instant: datetime | None) -> datetime | None:
    """Give the moment at which a job fires for an instant."""
    return None if instant is None else instant + jitter_of(job)


def passed(job: Job, until: datetime, limit: int) -> list[datetime]:
    """List the instants up to ``until`` that nothing was recorded of yet, in order; of more than ``limit`` the last."""
    pending = pending_instant(job)
    if pending is None or pending > until:
        return []
    return [pending] if job.is_once else due_between(_schedule(job), pending, until, limit)


def instant_at(job: Job, minute: datetime) -> datetime | None:
    """Give the instant of the schedule that falls into the minute which begins at ``minute``, or whose turn does."""
    jitter, width = jitter_of(job), _MINUTE - _BEFORE
    for begin in dict.fromkeys([minute, minute - jitter]):
        found = first_after(job, begin - _BEFORE)
        if found is not None and found <= begin + width:
            return found
    return None


def last_between(job: Job, after: datetime, before: datetime) -> datetime | None:
    """Give the last instant of the schedule strictly between the two, or None."""
    if job.is_once:
        at = datetime.fromisoformat(job.trigger)
        return at if after < at < before else None
    return next(iter(due_between(_schedule(job), after + _BEFORE, before - _BEFORE, 1)), None)


def check_usable(job: Job) -> None:
    """Check that the schedule of a stored job can still be read.

    Raises:
        Invalid: it cannot; its zone left the list, say.
    """
    parse_schedule("daily" if job.is_once else job.trigger, None, job.zone)


def next_instants(job: Job, now: datetime, count: int) -> list[datetime]:
    """List the next instants, at most ``count``, whose turn is still to come; none is more than 100 years ahead."""
    pending = pending_instant(job)
    if pending is None:
        return []
    after = max(now - jitter_of(job), pending - _BEFORE)
    if job.is_once:
        return [pending] if pending > after else []
    return upcoming(_schedule(job), after, now + _FORESIGHT, count)


def next_turn(job: Job, now: datetime) -> datetime | None:
    """Give the first turn after ``now``, or None where there is none."""
    return turn_of(job, first_after(job, now - jitter_of(job)))


def renewed_turn(job: Job, now: datetime) -> datetime | None:
    """Give the turn that is pending by the present rules of the job's zone, where it was computed by older ones.

    A job counts from its last change on: no instant before that fires, unless it was pending already.
    """
    after, pending = max(now - jitter_of(job), job.updated_at), pending_instant(job)
    return turn_of(job, first_after(job, after if pending is None else min(after, pending - _BEFORE)))


def _schedule(job: Job) -> Schedule:
    return Schedule(job.trigger, job.zone)
