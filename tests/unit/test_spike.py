"""The spike detector: numbers in, verdict out."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.spike import Status, Verdict, checked_parameters, judge, no_metric

LARGEST = sys.float_info.max
SMALLEST = 5e-324


def rolled(series: list[float | None] | list[float], threshold_percent: float = 6.0) -> Verdict:
    """Judge by the original rule."""
    return judge(series, "rolling", {"threshold_percent": threshold_percent})


def test_a_constant_series_is_ok_with_every_figure_in_place() -> None:
    verdict = rolled([900.0] * 9)
    assert verdict.to_dict() == {
        "status": "ok",
        "method": "rolling",
        "snapshots": 9,
        "average": 900.0,
        "current": 900.0,
        "difference": 0.0,
        "gainPercent": 0.0,
        "expected": 900.0,
        "low": 846.0,
        "high": 954.0,
        "score": 0.0,
        "basis": "the mean of the two snapshots before",
        "sentence": "900 equals 900, the mean of the two snapshots before; up to 6 % is accepted.",
    }


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([100.0, 100.0, 106.0], Status.OK),
        ([100.0, 100.0, 94.0], Status.OK),
        ([100.0, 100.0, 106.00000000000001], Status.SPIKE),
        ([100.0, 100.0, 93.99999999999999], Status.SPIKE),
        ([120.0, 120.0, 127.2], Status.OK),
        ([120.0, 120.0, 112.8], Status.OK),
        ([0.1, 0.3, 0.212], Status.OK),
        ([0.1, 0.3, 0.2121], Status.SPIKE),
    ],
)
def test_a_gain_of_exactly_the_threshold_is_no_spike_and_a_hair_more_is(values: list[float], status: Status) -> None:
    assert rolled(values).status is status


@settings(deadline=None)
@given(st.integers(1, 10**6), st.sampled_from([1, -1]))
def test_exactly_six_percent_of_any_number_with_two_decimals_is_no_spike(hundredths: int, sign: int) -> None:
    average = hundredths / 100
    current = hundredths * (100 + 6 * sign) / 10_000
    verdict = rolled([average, average, current])
    assert verdict.status is Status.OK
    assert verdict.gain_percent == 6.0 * sign
    assert verdict.score == 1.0


def test_only_the_two_values_before_the_newest_count() -> None:
    verdict = rolled([1.0, 5000.0, 90.0, 110.0, 105.0])
    assert (verdict.average, verdict.difference, verdict.gain_percent) == (100.0, 5.0, 5.0)
    assert verdict.snapshots == 5


def test_a_spike_says_what_was_expected_and_why() -> None:
    verdict = rolled([100.0, 100.0, 80.0])
    assert verdict.status is Status.SPIKE
    assert (verdict.expected, verdict.low, verdict.high) == (100.0, 94.0, 106.0)
    assert verdict.score == pytest.approx(20 / 6)
    assert verdict.sentence == "80 is 20 % below 100, the mean of the two snapshots before; more than 6 % is a spike."


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_values_are_not_enough(count: int) -> None:
    verdict = rolled([7.0] * count)
    assert verdict.status is Status.NOT_ENOUGH_DATA
    assert verdict.snapshots == count
    assert verdict.sentence == f"Not enough snapshots to judge ({count} of 3)"


@pytest.mark.parametrize("newest", [None, math.nan, math.inf, -math.inf, 10**400])
@pytest.mark.parametrize("past", [[], [1.0], [1.0, 1.0, 1.0]])
def test_a_newest_value_that_is_no_number_is_a_bad_metric(newest: float | None, past: list[float]) -> None:
    verdict = rolled([*past, newest])
    assert verdict.status is Status.BAD_METRIC
    assert verdict.current is None
    assert verdict.snapshots == len(past) + 1


def test_values_of_the_past_that_are_no_numbers_are_left_out() -> None:
    verdict = rolled([100.0, None, 100.0, math.nan, math.inf, 101.0])
    assert (verdict.status, verdict.average, verdict.snapshots) == (Status.OK, 100.0, 6)


def test_too_few_numbers_among_many_snapshots_are_not_enough() -> None:
    verdict = rolled([None, 100.0, None, 100.0])
    assert verdict.status is Status.NOT_ENOUGH_DATA
    assert verdict.sentence == "Not enough snapshots to judge (2 of 3; 2 more do not count)"


@pytest.mark.parametrize("past", [[0.0, 0.0], [-5.0, 5.0]])
def test_around_a_mean_of_zero_only_zero_is_ok(past: list[float]) -> None:
    same, other = rolled([*past, 0.0]), rolled([*past, 0.1])
    assert (same.status, same.gain_percent, same.score) == (Status.OK, 0.0, 0.0)
    assert (other.status, other.gain_percent, other.score) == (Status.SPIKE, None, None)
    assert (other.difference, other.low, other.high) == (0.1, 0.0, 0.0)


def test_the_gain_of_a_negative_series_has_the_sign_of_the_difference() -> None:
    down, up = rolled([-100.0, -100.0, -110.0]), rolled([-100.0, -100.0, -94.0])
    assert (down.status, down.difference, down.gain_percent) == (Status.SPIKE, -10.0, -10.0)
    assert (up.status, up.difference, up.gain_percent) == (Status.OK, 6.0, 6.0)
    assert (up.low, up.high) == (-106.0, -94.0)


def test_the_largest_floats_have_a_mean() -> None:
    verdict = rolled([LARGEST, LARGEST, LARGEST])
    assert (verdict.status, verdict.average, verdict.difference) == (Status.OK, LARGEST, 0.0)
    assert verdict.high is None


@pytest.mark.parametrize("threshold", [6.0, 1000.0])
def test_a_difference_that_no_float_holds_is_a_spike_without_a_gain(threshold: float) -> None:
    verdict = rolled([-LARGEST, -LARGEST, LARGEST], threshold)
    assert (verdict.status, verdict.difference, verdict.gain_percent) == (Status.SPIKE, None, None)


def test_a_gain_that_no_float_holds_is_left_out() -> None:
    verdict = rolled([SMALLEST, SMALLEST, 1e300])
    assert (verdict.status, verdict.difference, verdict.gain_percent) == (Status.SPIKE, 1e300, None)


def test_the_threshold_can_be_chosen() -> None:
    values = [100.0, 100.0, 109.0]
    assert rolled(values, 10).status is Status.OK
    assert rolled(values, 8.5).status is Status.SPIKE
    assert rolled([1.0, 1.0, 1.0], 0).status is Status.OK


def test_an_unknown_method_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"Unknown method 'roling'\. Did you mean 'rolling'\?"):
        judge([1.0, 1.0, 1.0], "roling")
    with pytest.raises(ValueError, match=r"There is: adaptive, rolling, zscore, mad\."):
        judge([1.0, 1.0, 1.0], "xyz")


def test_an_unknown_parameter_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no parameter 'treshold'\. Did you mean 'threshold_percent'\?"):
        judge([], "rolling", {"treshold": 5.0})


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "6", True, None, 10**400])
def test_a_parameter_that_is_no_finite_number_from_zero_up_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="'threshold_percent' of method 'rolling' must be a finite number from 0 up"):
        judge([1.0], "rolling", {"threshold_percent": value})


def test_parameters_are_completed_with_their_defaults() -> None:
    assert checked_parameters("rolling") == {"threshold_percent": 6.0}
    assert checked_parameters("rolling", {"threshold_percent": 3}) == {"threshold_percent": 3.0}


def test_a_run_without_a_metric_is_not_judged() -> None:
    verdict = no_metric(12)
    assert (verdict.status, verdict.snapshots, verdict.current) == (Status.NO_METRIC, 12, None)


def test_figures_that_json_cannot_write_become_null() -> None:
    verdict = Verdict(
        Status.SPIKE, "why", method="rolling", snapshots=3, average=math.nan, high=math.inf, low=-math.inf
    )
    values = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert (values["average"], values["high"], values["low"]) == (None, None, None)


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(), max_size=6))
def test_any_series_has_a_verdict_that_json_can_write(values: list[float | None]) -> None:
    verdict = rolled(values)
    assert json.dumps(verdict.to_dict(), allow_nan=False)
    assert (verdict.status is Status.SPIKE) == (verdict.sentence.endswith("is a spike."))


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=6))
def test_a_value_inside_the_accepted_interval_is_ok_and_one_outside_a_spike(values: list[float]) -> None:
    verdict = rolled(values)
    assert verdict.low is not None
    assert verdict.high is not None
    if verdict.status is Status.OK:
        assert verdict.low <= values[-1] <= verdict.high
    else:
        assert values[-1] <= verdict.low or values[-1] >= verdict.high


def test_the_detector_loads_nothing_of_the_product_and_nothing_installed() -> None:
    program = "import sys, app.spike; print(*{name.split('.')[0] for name in sys.modules}, *sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"flask", "sqlalchemy", "docker", "etcd3", "numpy"}.intersection(loaded)
    assert {name for name in loaded if name.startswith("app.") and not name.startswith("app.spike")} == set()
