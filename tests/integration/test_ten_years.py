"""Ten years in thirty time zones, against an oracle: a walk along the clock on the wall that knows nothing of crontabs.

The walk goes from one minute of UTC to the next and looks at what the clock shows. By default it takes one step over
each day on which the clock is not changed, takes some of the schedules in each zone, and looks at schedules of every
hour around some changes only. ``MAO_TEST_EVERY_MINUTE=1`` leaves nothing out, and walks every minute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.services.occurrences import Schedule, due_between, next_after, upcoming

EVERY_MINUTE = os.environ.get("MAO_TEST_EVERY_MINUTE") == "1"
ZONES = [
    "UTC",
    "Europe/Zurich",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/Volgograd",
    "Atlantic/Azores",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Cairo",
    "Africa/Windhoek",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Norfolk",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Asuncion",
    "America/Caracas",
]
START, END = datetime(2010, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ALWAYS = frozenset(range(24))


@dataclass(frozen=True)
class Plan:
    """A schedule, and the same thing said without a crontab."""

    crontab: str
    minutes: frozenset[int]
    hours: frozenset[int]
    is_day: Callable[[date], bool]

    def is_time(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and self.is_day(wall.date())

    def times_of(self, day: date) -> list[datetime]:
        if not self.is_day(day):
            return []
        return [
            datetime(day.year, day.month, day.day, hour, minute)
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
        ]


def _plan(crontab: str, minutes: set[int], hours: set[int], is_day: Callable[[date], bool] = lambda _: True) -> Plan:
    return Plan(crontab, frozenset(minutes), frozenset(hours), is_day)


def _is_working_day(day: date) -> bool:
    return day.isoweekday() <= 5


def _may_be_changed(day: date) -> bool:
    return day.month in (3, 4, 9, 10, 11) and day.isoweekday() >= 5


NIGHTS = _plan("*/30 0-3,23 * 3,4,9-11 0,5,6", {0, 30}, {0, 1, 2, 3, 23}, _may_be_changed)
"""What is due in the nights in which most clocks are changed."""
EVERY_NIGHT = _plan("*/30 0-3,23 * * *", {0, 30}, {0, 1, 2, 3, 23})
NAMED_HOURS = [
    _plan("0 0 * * *", {0}, {0}),
    _plan("30 2 * * *", {30}, {2}),
    _plan("15 1 * * 0", {15}, {1}, lambda day: day.isoweekday() == 7),
    _plan("59 23 * * 6", {59}, {23}, lambda day: day.isoweekday() == 6),
    _plan("0 0 1 * *", {0}, {0}, lambda day: day.day == 1),
    _plan("45 3 29 2 *", {45}, {3}, lambda day: (day.month, day.day) == (2, 29)),
    _plan("5 */8 13 * 5", {5}, {0, 8, 16}, lambda day: day.day == 13 or day.isoweekday() == 5),
]
EVERY_HOUR = [
    _plan("*/15 * * * *", {0, 15, 30, 45}, set(ALWAYS)),
    _plan("30 * * * 0,6", {30}, set(ALWAYS), lambda day: not _is_working_day(day)),
]


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _steps(zone: ZoneInfo, first: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, int]]:
    """Give steps as (first instant, what the clock shows then, length in minutes); within one the clock runs evenly."""
    at = first
    while at < until:
        wall, later = _wall(at, zone), at + DAY
        if not EVERY_MINUTE and _wall(later, zone) - wall == DAY:
            yield at, wall, DAY // MINUTE
        else:
            for minute in (at + number * MINUTE for number in range(DAY // MINUTE)):
                yield minute, _wall(minute, zone), 1
        at = later


def _by_the_clock(plans: list[Plan], zone: ZoneInfo, first: datetime, until: datetime) -> dict[Plan, list[datetime]]:
    """Give each instant at which the clock shows, or has just jumped over, a wanted time for the first time."""
    due: dict[Plan, list[datetime]] = {plan: [] for plan in plans}
    wanted = {(hour, minute) for plan in plans for hour in plan.hours for minute in plan.minutes}
    highest = _wall(first - MINUTE, zone)
    for at, wall, length in _steps(zone, first, until):
        reached = wall + (length - 1) * MINUTE
        if reached <= highest:
            continue
        if reached - highest > MINUTE or (reached.hour, reached.minute) in wanted:
            for plan in plans:
                new = [time for time in _times(plan, highest, reached) if highest < time <= reached]
                due[plan] += sorted({at + max(time - wall, timedelta(0)) for time in new})
        highest = reached
    return due


def _times(plan: Plan, highest: datetime, reached: datetime) -> Iterator[datetime]:
    for number in range((reached.date() - highest.date()).days + 1):
        yield from plan.times_of(highest.date() + number * DAY)


def _as_time_passes(plans: list[Plan], zone: ZoneInfo, first: datetime, until: datetime) -> dict[Plan, list[datetime]]:
    """Give each minute at which the clock shows a wanted time, however often it shows it."""
    due: dict[Plan, list[datetime]] = {plan: [] for plan in plans}
    wanted = frozenset[int]().union(*(plan.minutes for plan in plans))
    for at in (first + number * MINUTE for number in range((until - first) // MINUTE)):
        wall = _wall(at, zone)
        if wall.minute in wanted:
            for plan in plans:
                if plan.is_time(wall):
                    due[plan].append(at)
    return due


def _changes(zone: ZoneInfo) -> list[datetime]:
    """Give the days, of UTC, during which the clock of the zone is changed."""
    days = [START + number * DAY for number in range((END - START) // DAY)]
    return [day for day in days if _wall(day + DAY, zone) - _wall(day, zone) != DAY]


def _some(plans: list[Plan], name: str) -> list[Plan]:
    """Give every sixth plan, beginning with another one in each zone."""
    return plans if EVERY_MINUTE else plans[ZONES.index(name) % 6 :: 6]


@pytest.mark.parametrize("name", ZONES)
def test_schedules_of_named_hours_are_due_when_the_clock_on_the_wall_says_so(name: str) -> None:
    for plan, expected in _by_the_clock([NIGHTS, *_some(NAMED_HOURS, name)], ZoneInfo(name), START, END).items():
        assert expected
        assert upcoming(Schedule(plan.crontab, name), START - MINUTE, END - MINUTE, 10**6) == expected, plan.crontab


@pytest.mark.parametrize("name", ZONES)
def test_schedules_of_every_hour_are_due_as_time_passes(name: str) -> None:
    days = _changes(ZoneInfo(name))[::4] or [START]
    for first, until in [(START, END)] if EVERY_MINUTE else [(day - DAY / 4, day + DAY) for day in days]:
        for plan, expected in _as_time_passes(EVERY_HOUR, ZoneInfo(name), first, until).items():
            schedule = Schedule(plan.crontab, name)
            assert upcoming(schedule, first - MINUTE, until - MINUTE, 10**6) == expected, plan.crontab


@pytest.mark.parametrize("name", ZONES)
def test_from_any_minute_around_a_change_the_next_instant_is_the_one_of_the_walk(name: str) -> None:
    zone = ZoneInfo(name)
    for day in _changes(zone)[:: 1 if EVERY_MINUTE else 11]:
        for plan, walk in ((EVERY_NIGHT, _by_the_clock), (EVERY_HOUR[0], _as_time_passes)):
            schedule, instants = Schedule(plan.crontab, name), walk([plan], zone, day - DAY, day + 3 * DAY)[plan]
            assert due_between(schedule, day - DAY, day + 3 * DAY - MINUTE, 10**6) == instants
            for number in range(0, 2 * DAY // MINUTE, 7 if EVERY_MINUTE else 31):
                at = day - DAY / 2 + number * MINUTE
                assert next_after(schedule, at) == next(found for found in instants if found > at)
