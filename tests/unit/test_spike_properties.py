"""What holds for every method and every series: no look ahead, no unit, no input that breaks it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.spike import METHODS, Point, Standing, Status, Verdict, judge, replay
from app.spike.window import Window

START = datetime(2024, 1, 1, tzinfo=UTC)
every_method = pytest.mark.parametrize("method", sorted(METHODS))
sensible = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
series_of_numbers = st.lists(sensible, min_size=1, max_size=40)
wild_points = st.lists(
    st.builds(
        Point,
        st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, 900.0]),
        st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        st.none() | st.sampled_from(Standing),
    ),
    max_size=40,
)


def daily(values: list[float]) -> list[Point]:
    return [Point(value, START + timedelta(days=day)) for day, value in enumerate(values)]


def figures(verdict: Verdict) -> list[float]:
    told = verdict.to_dict().values()
    return [figure for figure in told if isinstance(figure, float)]


@every_method
@settings(deadline=None)
@given(series_of_numbers, st.integers(0, 39))
def test_a_verdict_depends_on_nothing_that_comes_later(method: str, values: list[float], index: int) -> None:
    index = min(index, len(values) - 1)
    assert replay(daily(values), method)[index] == replay(daily(values[: index + 1]), method)[-1]


@settings(deadline=None)
@given(series_of_numbers.filter(any), sensible, sensible)
def test_a_number_has_no_part_in_what_is_expected_in_its_place(past: list[float], one: float, other: float) -> None:
    expected = []
    for newest in (one, other):
        window = Window(daily(past), Point(newest, START + timedelta(days=len(past))))
        ends = [(forecast.value - forecast.error, forecast.value + forecast.error) for forecast in window.forecasts()]
        expected.append([window.unscaled(end) * window.top for pair in ends for end in pair])
    assert expected[0] == pytest.approx(expected[1], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"adaptive"}))
@given(st.lists(sensible, min_size=4, max_size=40), sensible, sensible)
def test_the_accepted_interval_is_made_of_the_past_alone(
    method: str, past: list[float], one: float, other: float
) -> None:
    first, second = judge([*past, one], method), judge([*past, other], method)
    assert (first.expected, first.low, first.high) == (second.expected, second.low, second.high)


@every_method
@settings(deadline=None)
@given(series_of_numbers, st.integers(-30, 30))
def test_other_units_change_nothing_but_the_units(method: str, values: list[float], power: int) -> None:
    unit = 2.0**power  # A power of two, so that no float is rounded.
    here, there = replay(daily(values), method), replay(daily([value * unit for value in values]), method)
    assert [verdict.status for verdict in there] == [verdict.status for verdict in here]
    for ours, theirs in zip(here, there, strict=True):
        assert (theirs.score is None) == (ours.score is None)
        assert theirs.score is None or theirs.score == pytest.approx(ours.score, rel=1e-9)
        assert ours.expected is None or theirs.expected == pytest.approx(ours.expected * unit, rel=1e-9)


@every_method
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(4, 60))
def test_a_constant_series_is_ok_for_ever(method: str, value: float, count: int) -> None:
    verdicts = replay([value] * count, method)
    assert {verdict.status for verdict in verdicts} <= {Status.OK, Status.NOT_ENOUGH_DATA}
    assert verdicts[-1].status is Status.OK


@every_method
@settings(deadline=None, max_examples=300)
@given(wild_points)
def test_no_series_breaks_a_method_and_no_figure_is_nan(method: str, points: list[Point]) -> None:
    verdict = judge(points, method)
    assert json.dumps(verdict.to_dict(), allow_nan=False)
    assert all(math.isfinite(figure) for figure in figures(verdict))
    assert verdict.takes_over <= max(len(points) - 1, 0)


@every_method
@pytest.mark.parametrize(
    "times",
    [
        [START] * 40,
        [START - timedelta(days=day) for day in range(40)],
        [START + timedelta(days=400 * day) for day in range(40)],
        [START + timedelta(days=day if day < 20 else day + 90) for day in range(40)],
        [START + timedelta(hours=day) for day in range(40)],
        [START + timedelta(microseconds=day) for day in range(40)],
    ],
    ids=["the same", "backwards", "years apart", "a gap of months", "hourly", "at once"],
)
def test_times_of_every_kind_are_taken(method: str, times: list[datetime]) -> None:
    points = [Point(900.0 + index % 7, time) for index, time in enumerate(times)]
    assert judge([*points, Point(903.0, times[-1] + timedelta(days=1))], method).status is Status.OK


@every_method
def test_a_hundred_thousand_points_are_judged_by_the_last_of_them(method: str) -> None:
    values = [float(900 + number % 5) for number in range(100_000)]
    verdict = judge(values, method)
    assert (verdict.status, verdict.snapshots) == (Status.OK, 100_000)


@every_method
@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_number_are_not_enough(method: str, count: int) -> None:
    assert judge([900.0] * count, method).status is Status.NOT_ENOUGH_DATA


@given(series_of_numbers)
def test_a_number_is_anomalous_exactly_when_its_score_is_one_or_more(values: list[float]) -> None:
    for verdict in replay(values):
        if verdict.score is not None:
            assert verdict.status.is_anomaly == (verdict.score >= 1)


@settings(deadline=None)
@given(series_of_numbers)
def test_what_is_outside_the_accepted_interval_is_anomalous_and_the_other_way_round(values: list[float]) -> None:
    for verdict in replay(values):
        if verdict.low is None or verdict.high is None or verdict.current is None:
            continue
        is_inside = verdict.low <= verdict.current <= verdict.high
        if verdict.status in (Status.SPIKE, Status.DROP, Status.ZERO):
            margin = 1e-9 * max(abs(verdict.low), abs(verdict.high))
            assert not verdict.low + margin < verdict.current < verdict.high - margin
        elif verdict.status is Status.OK:
            assert is_inside or verdict.current == pytest.approx(verdict.expected, rel=0.03)
