"""When a schedule is due: pure arithmetic, without a clock.

What daylight saving does to a schedule depends on its hour field:

- Named hours (``30 2 * * *``, ``0 */6 * * *``, ``*/15 2 * * *``; so daily, weekly and monthly too) are read off the
  clock on the wall. When the clock skips such a time, the schedule is due at the next minute that exists, once even
  if several were skipped. When the clock shows such a time twice, the schedule is due the first time only.
- Every hour (``*/15 * * * *``, ``30 * * * *``) means that time passes: the schedule is due whenever the clock shows
  such a minute, so the skipped hour has no instants, the doubled hour has its instants twice, and the distance stays
  15 minutes, or an hour, throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from app.errors import Invalid, nearest

ALIASES = {"daily": "0 0 * * *", "weekly": "0 0 * * 0", "monthly": "0 0 1 * *"}
CRONTAB_LENGTH = 200
_FIELDS = 5
_EVERY_HOUR = set(range(24))
_MINUTE = timedelta(minutes=1)
_FIRST_WINDOW = timedelta(days=1)
_ANY_YEAR = datetime(2000, 1, 1)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_ONE_TIME_OF_DAY = re.compile(r"[0-9]{1,2} [0-9]{1,2} ")
_SCHEDULE_RULE = "Must be daily, weekly, monthly or a crontab text of five fields"
_SCHEDULE_HINT = "'30 2 * * 1-5' is due at 02:30 from Monday to Friday: minute, hour, day of month, month, day of week."


@dataclass(frozen=True)
class Schedule:
    """A checked crontab text of five fields, and the IANA name of the zone in which it is read."""

    crontab: str
    zone: str


def parse_schedule(schedule: str, time_of_day: str | None, zone: str) -> Schedule:
    """Check a schedule: ``daily``, ``weekly`` (Sunday), ``monthly`` (the 1st), or a crontab text of five fields.

    The three words mean midnight, or ``time_of_day`` (``HH:MM``).

    Raises:
        Invalid: with the field ``schedule``, ``timeOfDay`` or ``zone``.
    """
    words = schedule.split()
    alias = words[0].lower() if len(words) == 1 else None
    if alias in ALIASES:
        crontab = _at_time_of_day(ALIASES[alias], time_of_day)
    elif time_of_day is not None:
        raise _invalid("timeOfDay", "A crontab text says the time of day itself.", "Goes with daily, weekly, monthly.")
    else:
        crontab = _checked_crontab(words, schedule)
    return Schedule(crontab, _checked_zone(zone))


def next_after(schedule: Schedule, instant: datetime) -> datetime | None:
    """Give the first instant strictly after ``instant`` at which the schedule is due, or None where there is none.

    ``instant`` is aware, in any zone; the answer is in UTC.
    """
    return next(_instants(schedule, instant.astimezone(UTC)), None)


def upcoming(schedule: Schedule, after: datetime, until: datetime, count: int) -> list[datetime]:
    """List the next instants, strictly after ``after`` and up to ``until``, at most ``count``.

    ``after`` and ``until`` are aware, in any zone; the answer is in UTC.
    """
    instants = takewhile(lambda at: at <= until, _instants(schedule, after.astimezone(UTC)))
    return list(islice(instants, count))


def due_between(schedule: Schedule, first: datetime, until: datetime, limit: int) -> list[datetime]:
    """List the instants from ``first`` to ``until``, both included, in order; of more than ``limit`` the latest.

    ``first`` and ``until`` are aware, in any zone; the answer is in UTC.
    """
    first, until = first.astimezone(UTC), until.astimezone(UTC)
    window = _FIRST_WINDOW
    while True:
        # The search begins near the end, because a job that was away for a year may be due every minute.
        start = max(first, until - window)
        instants = _instants(schedule, start - timedelta.resolution)
        found = list(takewhile(lambda at: at <= until, instants))
        if len(found) >= limit or start == first:
            return found[max(0, len(found) - limit) :]
        window *= 2


def moved_to(crontab: str, time_of_day: str) -> str:
    """Give a crontab text that is due at one time of day with another one (``HH:MM``).

    Raises:
        Invalid: with the field ``timeOfDay``.
    """
    if not _ONE_TIME_OF_DAY.match(crontab):
        raise _invalid(
            "timeOfDay", f"'{crontab}' is due at more than one time of day.", "Give the whole schedule instead."
        )
    return _at_time_of_day(crontab, time_of_day)


def instant_of(wall: datetime, zone: str) -> datetime:
    """Give the first instant at which the clock of ``zone`` shows the naive ``wall``, or the next minute that it shows.

    The answer is in UTC.
    """
    return _first_at(wall, ZoneInfo(zone))


def _at_time_of_day(crontab: str, time_of_day: str | None) -> str:
    if time_of_day is None:
        return crontab
    match = _TIME_OF_DAY.fullmatch(time_of_day)
    if match is None:
        raise _invalid("timeOfDay", f"'{time_of_day[:20]}' is not a time of day.", "Must be HH:MM, 00:00 to 23:59.")
    hour, minute = int(match[1]), int(match[2])
    return f"{minute} {hour} {crontab.split(maxsplit=2)[2]}"


def _checked_crontab(words: list[str], given: str) -> str:
    crontab = " ".join(words)
    # The library would take a sixth field, seconds.
    if len(words) != _FIELDS or len(crontab) > CRONTAB_LENGTH:
        raise _no_schedule(given, hint=nearest(crontab[:CRONTAB_LENGTH], ALIASES) if len(words) == 1 else None)
    try:
        next(CronSim(crontab, _ANY_YEAR))
    except CronSimError as error:
        raise _no_schedule(given, f": {str(error).lower()}") from error
    except StopIteration:
        raise _no_schedule(given, ": no day is like that") from None
    return crontab


def _checked_zone(zone: str) -> str:
    # A look at the list, because the loader takes the name for a path: a folder's name is another kind of error.
    if zone not in (known := _zones()):
        hint = nearest(zone[:CRONTAB_LENGTH], known)
        raise _invalid(
            "zone", f"'{zone[:80]}' is not a time zone.", "Must be an IANA name such as Europe/Zurich.", hint
        )
    return zone


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def _fields_of(crontab: str) -> CronSim:
    """Give the crontab text read; to be looked at only, because stepping through it would change it for all."""
    return CronSim(crontab, _ANY_YEAR)


def _invalid(field: str, message: str, rule: str, hint: str | None = None) -> Invalid:
    return Invalid(message, fields={field: [rule]}, hint=hint)


def _no_schedule(given: str, detail: str = "", hint: str | None = None) -> Invalid:
    rule = f"{_SCHEDULE_RULE}{detail}."
    return _invalid("schedule", f"'{given[:CRONTAB_LENGTH]}' is not a schedule.", rule, hint or _SCHEDULE_HINT)


def _instants(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    zone = ZoneInfo(schedule.zone)
    if _fields_of(schedule.crontab).hours == _EVERY_HOUR:
        return _as_time_passes(schedule.crontab, zone, after)
    return _by_the_clock(schedule.crontab, zone, after)


def _by_the_clock(crontab: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    # A naive start keeps the library from applying rules of its own, which depend on how the minutes are written.
    for wall in CronSim(crontab, _wall(after, zone)):
        at = _first_at(wall, zone)
        if at > after:
            yield at
            after = at


def _as_time_passes(crontab: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    fields = _fields_of(crontab)
    days = " ".join(["0 0", *crontab.split()[2:]])
    at = after.replace(second=0, microsecond=0) + _MINUTE
    while True:
        wall = _wall(at, zone)
        if wall.month in fields.months and fields.match_day(wall.date()):
            if wall.minute in fields.minutes:
                yield at
            at += _MINUTE
        else:
            midnight = next(CronSim(days, wall), None)
            if midnight is None:
                return
            at = max(at + _MINUTE, _first_at(midnight, zone))


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _first_at(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give the first instant at which the clock shows ``wall`` or, where it skips that, the next minute it shows."""
    while True:
        at = wall.replace(tzinfo=zone).astimezone(UTC)
        if _wall(at, zone) == wall:
            return at
        wall += _MINUTE
