"""What a job's columns become when it is scheduled, edited or resumed. An edit never fires in the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import Invalid
from app.models.job import Job, MisfirePolicy, OverlapPolicy
from app.services.occurrences import moved_to, next_after, parse_schedule
from app.services.policies import Fate, given_up
from app.services.turns import check_usable, first_after, jitter_of, offset_of, pending_instant, turn_of

DEFAULTS: dict[str, Any] = {
    "parameters": {},
    "misfire": MisfirePolicy.LAST,
    "max_age_seconds": 86_400,
    "overlap": OverlapPolicy.SKIP,
    "jitter_seconds": 0,
    "catch_up_limit": 100,
    "description": "",
}
_LAST_YEAR = 9000


def new_columns(values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Give the columns of a job that is scheduled with ``values``; what they leave out has its default.

    Raises:
        Invalid: the schedule, the instant or the zone breaks a rule.
    """
    if (values.get("at") is None) == (values.get("schedule") is None):
        raise Invalid("A job has either a schedule or one instant.", fields={"schedule": ["Give 'schedule' or 'at'."]})
    chosen = {name: values[name] if values.get(name) is not None else value for name, value in DEFAULTS.items()}
    return {"tool": values["tool"], **chosen, **_trigger(values, values.get("zone") or "UTC", now)}


def changed_columns(job: Job, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Give the columns of a job that an edit with ``values`` sets; what they leave out stays as it is.

    Raises:
        Invalid: the schedule, the instant or the zone breaks a rule.
    """
    columns = {name: values[name] for name in ("tool", *DEFAULTS) if name in values}
    if values.get("at") is not None and values.get("schedule") is not None:
        raise Invalid("A job has either a schedule or one instant.", fields={"at": ["Give 'schedule' or 'at'."]})
    if values.keys() & {"at", "schedule"}:
        return columns | _trigger(values, values.get("zone") or job.zone, now)
    if values.keys() & {"zone", "time_of_day"}:
        return columns | _moved(job, values)
    return columns


def unstored_job(values: dict[str, Any], now: datetime) -> Job:
    """Give a job that is stored nowhere, made of the ``values`` of one that might be scheduled.

    Raises:
        Invalid: the schedule, the instant or the zone breaks a rule.
    """
    columns = new_columns({**values, "tool": ""}, now)
    job = Job(id=values.get("id") or "", **columns)
    begin(job, now)
    return job


def begin(job: Job, now: datetime) -> None:
    """Let a job fire for its first instant after ``now``, whatever it fired for before."""
    job.next_run_at = turn_of(job, first_after(job, now))


def edit(job: Job, columns: dict[str, Any], now: datetime) -> list[Fate]:
    """Set columns of a job, and give what becomes of the instants that will not fire because of it.

    Where neither the schedule nor the jitter changes, the pending instant stays. A new schedule counts from ``now`` on.
    With a new jitter the pending instant stays too, unless its new turn is over already.
    """
    pending, old_schedule = pending_instant(job), _schedule_of(job)
    jitter = offset_of(job.id, columns.get("jitter_seconds", job.jitter_seconds))
    has_new_schedule = old_schedule != _schedule_of(job, columns)
    if not has_new_schedule and (jitter == jitter_of(job) or pending is None):
        _set(job, columns)
        return []
    over = now if has_new_schedule else now - jitter
    lost = given_up(job, over, f"the job was changed at {now.isoformat(timespec='seconds')}, before it fired")
    _set(job, columns)
    is_kept = not has_new_schedule and pending is not None and pending > over
    job.next_run_at = turn_of(job, pending if is_kept else first_after(job, over))
    return lost


def resume(job: Job, now: datetime) -> list[Fate]:
    """End a job's pause, and give what becomes of the instants that passed meanwhile.

    Raises:
        Invalid: its schedule cannot be used.
    """
    check_usable(job)
    asleep: list[Fate] = []
    if job.paused_at is not None:
        end = now if job.paused_until is None else min(now, job.paused_until - timedelta.resolution)
        over = end - jitter_of(job)
        asleep = given_up(job, over, "")
        if asleep or (job.next_run_at is None and not job.is_once):
            job.next_run_at = turn_of(job, first_after(job, over))
    end_pause(job)
    return asleep


def end_pause(job: Job) -> None:
    """Forget that a job was paused."""
    job.paused_at = job.pause_reason = job.paused_until = None


def _trigger(values: dict[str, Any], zone: str, now: datetime) -> dict[str, Any]:
    at: datetime | None = values.get("at")
    if at is None:
        schedule = parse_schedule(values["schedule"] or "", values.get("time_of_day"), zone)
        if next_after(schedule, now) is None:
            raise Invalid("That schedule is never due.", fields={"schedule": ["Must be due some day."]})
        return {"trigger": schedule.crontab, "zone": schedule.zone, "is_once": False}
    if values.get("time_of_day") is not None:
        raise Invalid("An instant says the time of day itself.", fields={"timeOfDay": ["Goes with a schedule."]})
    if at <= now:
        raise Invalid("That instant is over.", fields={"at": ["Must be in the future."]})
    if at.year >= _LAST_YEAR:
        raise Invalid("That instant is too far away.", fields={"at": [f"Must be before the year {_LAST_YEAR}."]})
    return {"trigger": at.astimezone(UTC).isoformat(), "zone": _checked_zone(zone), "is_once": True}


def _moved(job: Job, values: dict[str, Any]) -> dict[str, Any]:
    """Give what another zone or time of day makes of a job's schedule."""
    zone = _checked_zone(values.get("zone") or job.zone)
    if "time_of_day" not in values:
        return {"zone": zone}
    if job.is_once:
        raise Invalid("The job runs once, at an instant.", fields={"timeOfDay": ["Give the whole instant as 'at'."]})
    return {"zone": zone, "trigger": moved_to(job.trigger, values["time_of_day"])}


def _checked_zone(zone: str) -> str:
    return parse_schedule("daily", None, zone).zone


def _schedule_of(job: Job, columns: dict[str, Any] | None = None) -> tuple[Any, ...]:
    """Give what decides when a job is due; an instant is the same in every zone."""
    trigger, is_once, zone = ((columns or {}).get(name, getattr(job, name)) for name in ("trigger", "is_once", "zone"))
    return trigger, is_once, None if is_once else zone


def _set(job: Job, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(job, name, value)
