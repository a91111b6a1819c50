"""The default method on series that show one thing each."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from app.spike import Point, Standing, Status, Verdict, judge, replay

START = datetime(2024, 1, 1, tzinfo=UTC)


def noisy(level: float, count: int, seed: int = 1) -> list[float]:
    """Give whole numbers around a level, two percent to each side."""
    chance = random.Random(seed)
    return [float(round(level * chance.gauss(1, 0.02))) for _ in range(count)]


def last(values: list[float]) -> Verdict:
    return replay(values)[-1]


@pytest.mark.parametrize(
    ("newest", "status"),
    [(1000.0, Status.OK), (1500.0, Status.SPIKE), (700.0, Status.DROP), (0.0, Status.ZERO)],
)
def test_an_anomaly_is_called_by_its_direction(newest: float, status: Status) -> None:
    verdict = last([*noisy(1000, 30), newest])
    assert verdict.status is status
    assert verdict.standing is (Standing.COUNTED if status is Status.OK else Standing.FLAGGED)


def test_two_numbers_that_agree_begin_a_new_level_from_which_the_range_is_narrow_at_once() -> None:
    verdicts = replay([*noisy(1000, 30), *noisy(2000, 10, seed=2)])
    assert [verdict.status for verdict in verdicts[30:33]] == [Status.SPIKE, Status.LEVEL_SHIFT, Status.OK]
    assert verdicts[31].takes_over == 1
    assert all(verdict.low > 1700 and verdict.high < 2300 for verdict in verdicts[32:] if verdict.low and verdict.high)
    assert last([*noisy(1000, 30), *noisy(2000, 10, seed=2), 1600.0]).status is Status.DROP


def test_a_return_to_the_level_before_is_no_alarm_and_leaves_the_range_narrow() -> None:
    back = [1001.0, 1003.0, 999.0, 1002.0]
    verdicts = replay([*noisy(1000, 30), 500.0, 502.0, *back, 600.0])
    left = [Status.DROP, Status.LEVEL_SHIFT]
    assert [verdict.status for verdict in verdicts[30:]] == [*left, *[Status.OK] * len(back), Status.DROP]
    assert verdicts[32].standing is Standing.LEVEL


def test_zero_is_never_taken_for_a_new_level() -> None:
    verdicts = replay([*noisy(1000, 30), 0.0, 0.0, 0.0, 0.0])
    assert [verdict.status for verdict in verdicts[30:]] == [Status.ZERO] * 4


@pytest.mark.parametrize("weekend", [0.7, 0.9])
def test_a_loss_is_found_in_a_series_with_weekends(weekend: float) -> None:
    values = [value * (weekend if day % 7 >= 5 else 1) for day, value in enumerate(noisy(1000, 120))]
    points = [Point(round(value), START + timedelta(days=day)) for day, value in enumerate(values)]
    assert not any(verdict.status.is_anomaly for verdict in replay(points)[28:])
    for day in (100, 103, 104, 105):
        lost = [*points[:day], Point(points[day].value / 2, points[day].at)]  # type: ignore[operator]
        assert replay(lost)[-1].status is Status.DROP


def test_small_steps_in_one_direction_add_up_to_a_drift() -> None:
    values = [*noisy(1000, 40), *(1000 * 1.045**step for step in range(1, 9))]
    assert Status.DRIFT in {verdict.status for verdict in replay(values)[40:]}


def test_a_number_many_times_off_does_not_count_though_little_is_known() -> None:
    verdicts = replay([100.0, 102.0, 101.0, 400.0, 101.0, 400.0])
    assert [verdict.status.is_anomaly for verdict in verdicts[2:]] == [False, True, False, True]
    assert verdicts[3].standing is Standing.FLAGGED


def test_a_range_is_never_wider_than_can_be_believed() -> None:
    verdict = judge([30.0, 2.0, 2.0], share=1 / 32)
    assert verdict.high is not None
    assert verdict.high < 1e9


def test_what_shares_a_rate_of_false_alarms_allows_for_more() -> None:
    past = noisy(1000, 30)
    alone, shared = judge([*past, 1000.0]), judge([*past, 1000.0], share=0.25)
    assert alone.high is not None
    assert shared.high is not None
    assert shared.high > alone.high
    assert shared.score == 0.0 or (shared.score or 0) < (alone.score or 0)


def test_changes_below_the_minimum_are_no_anomaly() -> None:
    past = [1000.0] * 30
    assert judge([*past, 1100.0]).status is Status.SPIKE
    assert judge([*past, 1100.0], "adaptive", {"minimum_change": 101}).status is Status.OK
    assert judge([*past, 1015.0]).status is Status.OK


def test_the_sentence_says_what_was_expected_and_from_what() -> None:
    verdict = last([*noisy(1000, 31), 412.0])
    assert verdict.sentence.startswith("412 where ")
    assert verdict.sentence.endswith(" was expected from the last 31 runs.")


def test_a_zero_is_anomalous_however_much_the_numbers_vary() -> None:
    chance = random.Random(3)
    past = [float(round(100 * chance.lognormvariate(0, 0.8)) + 20) for _ in range(40)]
    assert last([*past, 0.0]).status is Status.ZERO
    assert last([*past, 25.0]).status is Status.OK
