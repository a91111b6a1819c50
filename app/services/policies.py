"""What becomes of a job's due instants, by its policies: pure, so that each rule can be read and tested as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.models.job import FiringOutcome, Job, MisfirePolicy, OverlapPolicy
from app.services.turns import jitter_of, passed

MOST_RECORDED = 1000
"""How many instants of one job's outage are recorded, the newest of them."""
ON_TIME = timedelta(seconds=30)
"""A turn that came this long ago is on time, whatever the misfire policy says: ticks and restarts take a moment."""


@dataclass(frozen=True)
class Fate:
    """What becomes of one due instant, and why; ``is_late`` says that its run makes up for a missed one."""

    due_at: datetime
    outcome: FiringOutcome
    reason: str
    is_late: bool = False


def fates_of(job: Job, now: datetime, live_run: int | None) -> list[Fate]:
    """Give what becomes of every instant whose turn has come, in order.

    ``live_run`` is the number of the job's newest run that is not over.
    """
    jitter = jitter_of(job)
    reached = now - jitter
    instants = passed(job, reached, MOST_RECORDED)
    asleep = [at for at in instants if job.is_paused(at + jitter)]
    awake = [at for at in instants if not job.is_paused(at + jitter)]
    chosen, missed = _by_misfire(job, awake, reached)
    fates = [*(_paused(job, at) for at in asleep), *missed, *_by_overlap(job, chosen, reached, live_run)]
    return sorted(fates, key=lambda fate: fate.due_at)


def given_up(job: Job, until: datetime, reason: str) -> list[Fate]:
    """Give what becomes of the instants up to ``until`` where they will not fire: paused, or missed for ``reason``."""
    jitter, instants = jitter_of(job), passed(job, until, MOST_RECORDED)
    return [_paused(job, at) if job.is_paused(at + jitter) else _missed(at, reason) for at in instants]


def _by_misfire(job: Job, instants: list[datetime], reached: datetime) -> tuple[list[datetime], list[Fate]]:
    """Split instants into those that the job makes up for, or that are on time, and those that it missed."""
    oldest = reached - timedelta(seconds=job.max_age_seconds)
    fresh = [at for at in instants if at >= oldest]
    too_old = f"older than {job.max_age_seconds} seconds when an agent was back"
    missed = [_missed(at, too_old) for at in instants if at < oldest]
    if job.misfire == MisfirePolicy.LAST:
        made_up = [_missed(at, f"made up for by the firing of {_text(fresh[-1])}") for at in fresh[:-1]]
        return fresh[-1:], missed + made_up
    late = [at for at in fresh if _is_late(at, reached)]
    if job.misfire == MisfirePolicy.NONE:
        left_out, reason = late, "no agent ran at that time, and the job's misfire policy is none"
    else:
        left_out = late[: max(0, len(late) - job.catch_up_limit)]
        reason = f"the job makes up for the newest {job.catch_up_limit} missed instants only"
    return fresh[len(left_out) :], missed + [_missed(at, reason) for at in left_out]


def _by_overlap(job: Job, instants: list[datetime], reached: datetime, live_run: int | None) -> list[Fate]:
    if not instants:
        return []
    if job.overlap == OverlapPolicy.REPLACE:
        *replaced, last = instants
        by = f"replaced by the run of {_text(last)}"
        return [*(_missed(at, by) for at in replaced), _fired(last, reached)]
    if job.overlap == OverlapPolicy.QUEUE:
        return [_fired(at, reached) for at in instants]
    if live_run is not None:
        return [_skipped(at, f"run {live_run} of this job was not over yet") for at in instants]
    first, *others = instants
    waiting = f"the run of {_text(first)} was not over yet"
    return [_fired(first, reached), *(_skipped(at, waiting) for at in others)]


def _fired(at: datetime, reached: datetime) -> Fate:
    if _is_late(at, reached):
        return Fate(at, FiringOutcome.FIRED, "made up for, because no agent ran at that time", is_late=True)
    return Fate(at, FiringOutcome.FIRED, "due")


def _missed(at: datetime, reason: str) -> Fate:
    return Fate(at, FiringOutcome.MISSED, reason)


def _paused(job: Job, at: datetime) -> Fate:
    return Fate(at, FiringOutcome.PAUSED, f"paused: {job.pause_reason}" if job.pause_reason else "paused")


def _skipped(at: datetime, reason: str) -> Fate:
    return Fate(at, FiringOutcome.SKIPPED, reason)


def _is_late(at: datetime, reached: datetime) -> bool:
    return at < reached - ON_TIME


def _text(at: datetime) -> str:
    return at.isoformat()
