"""Why a job ran, or did not run, at an instant: one answer made of its record and its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.models.job import Firing, FiringOutcome, Job
from app.repositories.database import Session
from app.repositories.jobs import JobRepository
from app.repositories.runs import RunRepository
from app.services.occurrences import instant_of
from app.services.policies import MOST_RECORDED
from app.services.turns import check_usable, first_after, instant_at, jitter_of, last_between, pending_instant

_MINUTE = timedelta(minutes=1)


class Because(StrEnum):
    """What an answer comes to, beside the outcomes of a firing."""

    NOT_DUE = "not_due"
    COMING = "coming"
    WAITING = "waiting"
    TOO_EARLY = "too_early"
    CHANGED = "changed"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True)
class Known:
    """What is stored about a job and the minute ``minute`` that is asked about.

    ``firing`` belongs to an instant of that minute; ``earlier`` and ``later`` are its neighbours in the record.
    """

    job: Job
    minute: datetime
    firing: Firing | None
    run_status: str | None
    earlier: Firing | None
    later: Firing | None


@dataclass(frozen=True)
class Answer:
    """The answer as one sentence or two, with what it was made of. ``due_at`` is the instant that it is about."""

    job_id: str
    at: datetime
    local_at: datetime
    outcome: str
    answer: str
    due_at: datetime | None
    firing: Firing | None
    run_status: str | None
    previous_due_at: datetime | None
    next_due_at: datetime | None


def known_of(session: Session, job: Job, at: datetime) -> Known:
    """Read what is stored about a job and an instant; a naive one is read off the clock of the job's zone.

    Raises:
        Invalid: the job's schedule cannot be used.
    """
    check_usable(job)
    minute = (instant_of(at, job.zone) if at.tzinfo is None else at).replace(second=0, microsecond=0)
    jobs, turned = JobRepository(session), minute - jitter_of(job)
    firing = jobs.first_firing(job, minute, minute + _MINUTE) or jobs.first_firing(job, turned, turned + _MINUTE)
    return Known(
        job=job,
        minute=minute,
        firing=firing,
        run_status=_status_of(session, firing),
        earlier=next(iter(jobs.firings(job.id, owner=job.owner, after=minute, limit=1)), None),
        later=jobs.first_firing(job, minute + _MINUTE),
    )


def explain(known: Known, now: datetime) -> Answer:
    """Tell what became of the minute that is asked about, and why."""
    job, minute, firing = known.job, known.minute, known.firing
    due_at = firing.due_at if firing is not None else instant_at(job, minute)
    if firing is not None:
        outcome, answer = _recorded(known, firing)
    elif minute + _MINUTE <= job.created_at:
        outcome, answer = Because.TOO_EARLY, f"The job was made later, at {_shown(job, job.created_at)}."
    elif due_at is None:
        outcome, answer = Because.NOT_DUE, _not_due(known)
    else:
        outcome, answer = _unrecorded(job, due_at, now)
    return Answer(
        job_id=job.id,
        at=minute,
        local_at=minute.astimezone(ZoneInfo(job.zone)),
        outcome=str(outcome),
        answer=answer,
        due_at=due_at,
        firing=firing,
        run_status=known.run_status,
        previous_due_at=_previous(known),
        next_due_at=_next(known),
    )


def _recorded(known: Known, firing: Firing) -> tuple[str, str]:
    due = f"It was due at {_shown(known.job, firing.due_at)}"
    if firing.outcome != FiringOutcome.FIRED:
        reason = firing.reason if firing.reason.startswith(firing.outcome) else f"{firing.outcome}: {firing.reason}"
        return firing.outcome, f"{due} and did not run; {reason}."
    if firing.run_id is None:
        return firing.outcome, f"{due} and fired. The record of its run has been removed."
    late = "" if firing.not_before is None else " (made up for later, because no agent ran at that time)"
    return firing.outcome, f"{due} and fired{late}: run {firing.run_id} is {known.run_status}."


def _unrecorded(job: Job, due_at: datetime, now: datetime) -> tuple[str, str]:
    """Tell why nothing is recorded of an instant that the present schedule has."""
    pending, fires_at, due = pending_instant(job), due_at + jitter_of(job), _shown(job, due_at)
    if pending is not None and due_at >= pending:
        if job.is_paused(fires_at):
            end = "until it is resumed" if job.paused_until is None else f"until {_shown(job, job.paused_until)}"
            return FiringOutcome.PAUSED, f"It is due at {due} and will not run then: the job is paused {end}."
        if fires_at > now:
            return Because.COMING, f"It is due at {due} and fires at {_shown(job, fires_at)}, which is still to come."
        return Because.WAITING, f"It was due at {due} and has not fired yet: no agent has been at work since."
    if due_at <= job.updated_at:
        return (
            Because.CHANGED,
            f"Nothing is recorded of {due}. The job was changed at {_shown(job, job.updated_at)}; "
            "it may have had another schedule before.",
        )
    return (
        Because.UNRECORDED,
        f"It was due at {due}, and nothing is recorded: of a long outage only the newest {MOST_RECORDED} instants "
        "are, and old records are removed.",
    )


def _not_due(known: Known) -> str:
    job, before, after = known.job, _previous(known), _next(known)
    near = [f"before that at {_shown(job, before)}"] if before else []
    near += [f"after that at {_shown(job, after)}"] if after else []
    answer = f"It is not due at {_shown(job, known.minute)}" + (f"; it is {' and '.join(near)}." if near else ".")
    if known.minute < job.updated_at:
        answer += f" The job was changed at {_shown(job, job.updated_at)}; it may have had another schedule before."
    return answer


def _previous(known: Known) -> datetime | None:
    """Give the nearest earlier instant: recorded, or of the present schedule as far back as that is known to hold."""
    scheduled = last_between(known.job, known.job.updated_at, known.minute)
    return max(_instants(scheduled, known.earlier), default=None)


def _next(known: Known) -> datetime | None:
    after = max(known.minute + _MINUTE - timedelta.resolution, known.job.updated_at)
    return min(_instants(first_after(known.job, after), known.later), default=None)


def _instants(scheduled: datetime | None, recorded: Firing | None) -> list[datetime]:
    return [at for at in (scheduled, recorded.due_at if recorded else None) if at is not None]


def _status_of(session: Session, firing: Firing | None) -> str | None:
    if firing is None or firing.run_id is None:
        return None
    return RunRepository(session).get(firing.run_id).status


def _shown(job: Job, at: datetime) -> str:
    """Give an instant as the clock of the job's zone shows it, with its offset and its seconds where there are any."""
    local = at.astimezone(ZoneInfo(job.zone))
    return local.isoformat(sep=" ", timespec="seconds" if local.second else "minutes")
