"""When schedules are due, above all in the nights in which clocks are changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Invalid
from app.services.occurrences import Schedule, due_between, next_after, parse_schedule

MINUTE = timedelta(minutes=1)
ZURICH, NEW_YORK, LORD_HOWE = "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"
SANTIAGO, APIA, KATHMANDU = "America/Santiago", "Pacific/Apia", "Asia/Kathmandu"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _texts(instants: list[datetime]) -> list[str]:
    assert all(at.tzinfo is UTC for at in instants)
    return [at.strftime("%Y-%m-%d %H:%M") for at in instants]


def _refused(*arguments: str | None) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse_schedule(*arguments)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("schedule", "time_of_day", "crontab"),
    [
        ("daily", None, "0 0 * * *"),
        ("weekly", None, "0 0 * * 0"),
        ("monthly", None, "0 0 1 * *"),
        (" Daily ", None, "0 0 * * *"),
        ("daily", "08:05", "5 8 * * *"),
        ("weekly", "23:59", "59 23 * * 0"),
        ("monthly", "00:00", "0 0 1 * *"),
        ("*/15 * * * *", None, "*/15 * * * *"),
        ("  5   4 *  * mon-fri ", None, "5 4 * * mon-fri"),
        ("0 0 29 2 *", None, "0 0 29 2 *"),
        ("0 0 L * *", None, "0 0 L * *"),
    ],
)
def test_words_and_crontab_texts_are_understood(schedule: str, time_of_day: str | None, crontab: str) -> None:
    assert parse_schedule(schedule, time_of_day, "UTC") == Schedule(crontab, "UTC")


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "hourly",
        "daily daily",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "-1 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "1,, * * * *",
        "* * * * 1L/2",
        "* * * * 1#6",
        "\u0661 * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 */31 * 1#5",
        "0," * 200 + "0 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused_with_its_rule(schedule: str) -> None:
    error = _refused(schedule, None, "UTC")
    assert list(error.fields) == ["schedule"]
    assert error.fields["schedule"][0].startswith("Must be daily, weekly, monthly or a crontab text of five fields")
    assert error.hint
    assert len(error.message) < 250


def test_the_rule_names_the_field_that_is_wrong() -> None:
    assert _refused("0 25 * * *", None, "UTC").fields["schedule"][0].endswith(": bad hour.")
    assert _refused("0 0 31 2 *", None, "UTC").fields["schedule"][0].endswith(": bad day-of-month.")


@pytest.mark.parametrize(("given", "meant"), [("dayly", "daily"), ("@weekly", "weekly"), ("month", "monthly")])
def test_a_misspelt_word_is_answered_with_the_nearest(given: str, meant: str) -> None:
    assert _refused(given, None, "UTC").hint == f"Did you mean '{meant}'?"


@pytest.mark.parametrize("time_of_day", ["", "8:00", "24:00", "08:60", "08:00:00", "8am", "\u0660\u0660:00", "08:00\n"])
def test_a_bad_time_of_day_is_refused(time_of_day: str) -> None:
    assert list(_refused("daily", time_of_day, "UTC").fields) == ["timeOfDay"]


def test_a_crontab_text_takes_no_time_of_day() -> None:
    assert list(_refused("0 0 * * *", "08:00", "UTC").fields) == ["timeOfDay"]


@pytest.mark.parametrize(
    "zone", ["", "Europe", "Europe/Zürich", "../etc/passwd", "/etc/localtime", "CEST", "x" * 10_000]
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    assert list(_refused("daily", None, zone).fields) == ["zone"]


def test_an_unknown_zone_is_answered_with_the_nearest() -> None:
    assert _refused("daily", None, "Europe/Zürich").hint == "Did you mean 'Europe/Zurich'?"


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/-,#LWlwMONdecFEB ", max_size=30))
def test_any_text_is_a_schedule_that_is_due_one_day_or_refused(text: str) -> None:
    try:
        schedule = parse_schedule(text, None, "UTC")
    except Invalid as error:
        assert list(error.fields) == ["schedule"]
    else:
        assert next_after(schedule, _utc("2024-01-01")) is not None


@pytest.mark.parametrize(
    ("schedule", "instant", "due"),
    [
        ("daily", "2024-05-01 00:00", "2024-05-02 00:00"),
        ("daily", "2024-04-30 23:59:59.999999", "2024-05-01 00:00"),
        ("daily", "2024-05-01 00:00:00.000001", "2024-05-02 00:00"),
        ("weekly", "2024-05-01", "2024-05-05 00:00"),
        ("monthly", "2024-05-01", "2024-06-01 00:00"),
        ("*/15 * * * *", "2024-05-01 10:07", "2024-05-01 10:15"),
        ("*/15 * * * *", "2024-05-01 10:14:59.5", "2024-05-01 10:15"),
        ("*/15 * * * *", "2024-05-01 10:15", "2024-05-01 10:30"),
        ("0 * * 1 *", "2024-05-01", "2025-01-01 00:00"),
        ("0 0 29 2 *", "2024-02-29", "2028-02-29 00:00"),
        ("0 12 13 * 5", "2024-05-01", "2024-05-03 12:00"),
    ],
)
def test_the_next_instant_is_strictly_later(schedule: str, instant: str, due: str) -> None:
    assert next_after(parse_schedule(schedule, None, "UTC"), _utc(instant)) == _utc(due)


def test_the_zone_of_the_question_does_not_matter() -> None:
    schedule = parse_schedule("daily", "09:00", NEW_YORK)
    asked = _utc("2024-07-01 12:59")
    assert next_after(schedule, asked.astimezone(ZoneInfo(KATHMANDU))) == next_after(schedule, asked)
    assert next_after(schedule, asked) == _utc("2024-07-01 13:00")


def test_a_question_in_the_second_of_two_equal_hours_is_understood() -> None:
    second = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo(ZURICH), fold=1)
    schedule = Schedule("*/15 * * * *", ZURICH)
    assert next_after(schedule, second) == _utc("2024-10-27 01:45")
    assert _texts(due_between(schedule, second, second, 10)) == ["2024-10-27 01:30"]
    assert next_after(Schedule("45 2 * * *", ZURICH), second) == _utc("2024-10-28 01:45")


def test_a_zone_with_an_odd_offset_is_read_off_its_own_clock() -> None:
    schedule = parse_schedule("daily", None, KATHMANDU)
    assert next_after(schedule, _utc("2024-05-01")) == _utc("2024-05-01 18:15")


SKIPPED = [
    (ZURICH, "30 2 * * *", "2024-03-31", ["2024-03-31 01:00"]),
    (ZURICH, "0 2,3 * * *", "2024-03-31", ["2024-03-31 01:00"]),
    (ZURICH, "*/15 2 * * *", "2024-03-31", ["2024-03-31 01:00"]),
    (ZURICH, "0 */2 * * *", "2024-03-31", ["2024-03-30 23:00", "2024-03-31 01:00", "2024-03-31 02:00"]),
    (ZURICH, "30 * * * *", "2024-03-31", ["2024-03-30 23:30", "2024-03-31 00:30", "2024-03-31 01:30"]),
    (NEW_YORK, "30 2 * * *", "2024-03-10", ["2024-03-10 07:00"]),
    (NEW_YORK, "30 * * * *", "2024-03-10", ["2024-03-10 05:30", "2024-03-10 06:30", "2024-03-10 07:30"]),
    (LORD_HOWE, "15 2 * * *", "2024-10-06", ["2024-10-05 15:30"]),
    (LORD_HOWE, "45 2 * * *", "2024-10-06", ["2024-10-05 15:45"]),
    (LORD_HOWE, "15 * * * *", "2024-10-06", ["2024-10-05 13:45", "2024-10-05 14:45", "2024-10-05 16:15"]),
    (SANTIAGO, "0 0 * * *", "2024-09-08", ["2024-09-08 04:00"]),
    (KATHMANDU, "30 2 * * *", "2024-03-31", ["2024-03-30 20:45"]),
    ("UTC", "30 2 * * *", "2024-03-31", ["2024-03-31 02:30"]),
]
DOUBLED = [
    (ZURICH, "30 2 * * *", "2024-10-27", ["2024-10-27 00:30"]),
    (ZURICH, "0 2,3 * * *", "2024-10-27", ["2024-10-27 00:00", "2024-10-27 02:00"]),
    (ZURICH, "*/30 2 * * *", "2024-10-27", ["2024-10-27 00:00", "2024-10-27 00:30"]),
    (ZURICH, "0 */2 * * *", "2024-10-27", ["2024-10-26 22:00", "2024-10-27 00:00", "2024-10-27 03:00"]),
    (ZURICH, "0 0-23 * * *", "2024-10-27", ["2024-10-26 22:00", "2024-10-26 23:00", "2024-10-27 00:00"]),
    (ZURICH, "30 * * * *", "2024-10-27", ["2024-10-26 22:30", "2024-10-26 23:30", "2024-10-27 00:30"]),
    (NEW_YORK, "30 1 * * *", "2024-11-03", ["2024-11-03 05:30"]),
    (LORD_HOWE, "45 1 * * *", "2024-04-07", ["2024-04-06 14:45"]),
    (LORD_HOWE, "45 * * * *", "2024-04-07", ["2024-04-06 13:45", "2024-04-06 14:45", "2024-04-06 15:15"]),
    (SANTIAGO, "30 23 * * *", "2024-04-06", ["2024-04-07 02:30"]),
    (KATHMANDU, "30 2 * * *", "2024-10-27", ["2024-10-26 20:45"]),
    ("UTC", "30 2 * * *", "2024-10-27", ["2024-10-27 02:30"]),
]


@pytest.mark.parametrize(("zone", "crontab", "day", "due"), SKIPPED + DOUBLED)
def test_in_nights_of_clock_changes_it_is_due_at_these_instants(
    zone: str, crontab: str, day: str, due: list[str]
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    next_midnight = (midnight + timedelta(days=1)).astimezone(UTC)
    instants = due_between(Schedule(crontab, zone), midnight, next_midnight - MINUTE, 1000)
    is_whole_day = crontab.split()[1].isdigit()
    assert _texts(instants if is_whole_day else instants[: len(due)]) == due


def test_a_quarter_hourly_schedule_keeps_its_distance_through_both_changes() -> None:
    schedule = Schedule("*/15 * * * *", ZURICH)
    for day, count in (("2024-03-31", 23 * 4), ("2024-10-27", 25 * 4)):
        midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(ZURICH))
        next_midnight = (midnight + timedelta(days=1)).astimezone(UTC)
        instants = due_between(schedule, midnight, next_midnight - MINUTE, 1000)
        assert len(instants) == count
        assert {later - at for at, later in pairwise(instants)} == {15 * MINUTE}


@pytest.mark.parametrize("zone", [ZURICH, NEW_YORK, LORD_HOWE, SANTIAGO, KATHMANDU, "UTC"])
@pytest.mark.parametrize("time_of_day", ["00:00", "01:45", "02:15", "23:30"])
def test_a_daily_schedule_is_due_once_on_each_local_date_of_a_year(zone: str, time_of_day: str) -> None:
    schedule = parse_schedule("daily", time_of_day, zone)
    local = ZoneInfo(zone)
    first = datetime(2024, 1, 1, tzinfo=local)
    instants = due_between(schedule, first, datetime(2024, 12, 31, 23, 59, tzinfo=local), 10_000)
    dates = [at.astimezone(local).date() for at in instants]
    assert dates == [first.date() + timedelta(days=number) for number in range(366)]


def test_a_day_that_a_country_left_out_is_not_made_up_for_twice() -> None:
    instants = due_between(Schedule("0 0 * * *", APIA), _utc("2011-12-29"), _utc("2012-01-01 09:00"), 10)
    assert _texts(instants) == ["2011-12-29 10:00", "2011-12-30 10:00", "2011-12-31 10:00"]
    every_hour = due_between(Schedule("0 * 30 12 *", APIA), _utc("2011-12-28"), _utc("2012-01-03"), 100)
    assert every_hour == []


def test_a_clock_that_goes_back_over_midnight_begins_the_day_twice() -> None:
    # In Newfoundland the clock went from 00:01 on 7 November 2010 back to 23:01 on the 6th.
    start, end = _utc("2010-11-06 12:00"), _utc("2010-11-07 04:00")
    assert _texts(due_between(Schedule("0 * 7 11 *", "America/St_Johns"), start, end, 10)) == [
        "2010-11-07 02:30",
        "2010-11-07 03:30",
    ]
    assert _texts(due_between(Schedule("0 0 * * *", "America/St_Johns"), start, end, 10)) == ["2010-11-07 02:30"]


def test_both_ends_of_the_period_are_included() -> None:
    schedule = Schedule("0 * * * *", "UTC")
    instants = due_between(schedule, _utc("2024-05-01 10:00"), _utc("2024-05-01 12:00"), 10)
    assert _texts(instants) == ["2024-05-01 10:00", "2024-05-01 11:00", "2024-05-01 12:00"]


def test_a_period_that_ends_before_it_begins_has_no_instants() -> None:
    assert due_between(Schedule("* * * * *", "UTC"), _utc("2024-05-02"), _utc("2024-05-01"), 10) == []


def test_of_more_instants_than_the_limit_the_latest_are_given() -> None:
    schedule = Schedule("* * * * *", ZURICH)
    instants = due_between(schedule, _utc("2014-05-01"), _utc("2024-05-01 12:00"), 3)
    assert _texts(instants) == ["2024-05-01 11:58", "2024-05-01 11:59", "2024-05-01 12:00"]
    assert due_between(schedule, _utc("2024-05-01"), _utc("2024-05-01 12:00"), 0) == []


def test_rare_instants_far_back_are_found() -> None:
    instants = due_between(Schedule("0 0 29 2 *", "UTC"), _utc("2000-01-01"), _utc("2024-01-01"), 100)
    assert [at.year for at in instants] == [2000, 2004, 2008, 2012, 2016, 2020]


@dataclass(frozen=True)
class Field:
    """A field of a crontab text and, worked out on its own, the numbers that it stands for."""

    text: str
    numbers: frozenset[int]


def _fields(low: int, high: int) -> st.SearchStrategy[Field]:
    everything = range(low, high + 1)
    number = st.integers(low, high)
    return st.one_of(
        st.just(Field("*", frozenset(everything))),
        st.integers(1, high).map(lambda step: Field(f"*/{step}", frozenset(everything[::step]))),
        st.lists(number, min_size=1, max_size=3).map(lambda some: Field(",".join(map(str, some)), frozenset(some))),
        st.tuples(number, number).map(sorted).map(lambda e: Field(f"{e[0]}-{e[1]}", frozenset(range(e[0], e[1] + 1)))),
    )


CRONTABS = st.tuples(_fields(0, 59), _fields(0, 23), _fields(1, 31), _fields(1, 12), _fields(0, 6))


def _matcher(fields: tuple[Field, ...]) -> Callable[[datetime], bool]:
    minutes, hours, days, months, weekdays = fields
    is_both = days.text.startswith("*") or weekdays.text.startswith("*")

    def matches(wall: datetime) -> bool:
        if wall.minute not in minutes.numbers or wall.hour not in hours.numbers or wall.month not in months.numbers:
            return False
        on_day, on_weekday = wall.day in days.numbers, wall.isoweekday() % 7 in weekdays.numbers
        return (on_day and on_weekday) if is_both else (on_day or on_weekday)

    return matches


def _walk(first: datetime, minutes: int, zone: str) -> list[tuple[datetime, datetime]]:
    """Give each minute as an instant and as the clock of ``zone`` shows it."""
    local = ZoneInfo(zone)
    instants = [first + number * MINUTE for number in range(minutes)]
    return [(at, at.astimezone(local).replace(tzinfo=None, fold=0)) for at in instants]


@settings(deadline=None, max_examples=60)
@given(CRONTABS, st.integers(0, 4 * 366 * 24 * 60))
def test_in_utc_it_is_due_at_just_the_minutes_that_a_plain_walk_finds(
    fields: tuple[Field, ...], start_minute: int
) -> None:
    crontab = " ".join(field.text for field in fields)
    walked = _walk(_utc("2023-01-01") + start_minute * MINUTE, 24 * 60, "UTC")
    matches = _matcher(fields)
    expected = [at for at, wall in walked if matches(wall)]
    assert due_between(Schedule(crontab, "UTC"), walked[0][0], walked[-1][0], 10_000) == expected


CHANGES = [
    (ZURICH, "2024-03-30 20:00"),
    (ZURICH, "2024-10-26 20:00"),
    (NEW_YORK, "2024-03-10 02:00"),
    (NEW_YORK, "2024-11-03 02:00"),
    (LORD_HOWE, "2024-04-06 10:00"),
    (LORD_HOWE, "2024-10-05 10:00"),
    (SANTIAGO, "2024-04-06 22:00"),
    (SANTIAGO, "2024-09-07 22:00"),
]


@settings(deadline=None, max_examples=60)
@given(_fields(0, 59), _fields(0, 23), st.sampled_from(CHANGES))
def test_around_clock_changes_it_is_due_at_just_the_minutes_that_a_plain_walk_finds(
    minutes: Field, hours: Field, change: tuple[str, str]
) -> None:
    zone, start = change
    walked = _walk(_utc(start), 12 * 60, zone)
    if len(hours.numbers) == 24:
        expected = [at for at, wall in walked if wall.minute in minutes.numbers]
    else:
        expected = _by_the_clock(walked, minutes, hours)
    crontab = f"{minutes.text} {hours.text} * * *"
    assert due_between(Schedule(crontab, zone), walked[0][0], walked[-1][0], 10_000) == expected


def _by_the_clock(walked: list[tuple[datetime, datetime]], minutes: Field, hours: Field) -> list[datetime]:
    """Give, for each wanted time of an even clock, the first instant at which the real clock reached or passed it."""
    first, last = walked[0][1], max(wall for _, wall in walked)
    shown = [first + number * MINUTE for number in range((last - first) // MINUTE + 1)]
    wanted = [wall for wall in shown if wall.minute in minutes.numbers and wall.hour in hours.numbers]
    return sorted({next(at for at, reached in walked if reached >= wall) for wall in wanted})
