"""How good the default method must stay: on generated series, and on really collected ones where they are there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest

from app.spike import DEFAULT_METHOD
from benchmarks.spike_detectors import Detector, score_streams
from benchmarks.spike_events import streams
from benchmarks.spike_feed import (
    METRICS_AT_ONCE,
    alarms,
    false_runs,
    generated_feed,
    load_feed,
    losses_caught,
    year,
)
from benchmarks.spike_figures import Figures, count
from benchmarks.spike_generator import clean_years, generated
from benchmarks.spike_product import product_method
from benchmarks.spike_series import Series, load

DATA = Path(__file__).parents[2].parent / "shared" / "data"
REAL_SERIES = DATA / "snapshot-series-dev.jsonl"
REAL_FEED = DATA / "dockerhub-library-counts.csv"

needs_real_series = pytest.mark.skipif(not REAL_SERIES.is_file(), reason=f"the real series are not at {REAL_SERIES}")
needs_real_feed = pytest.mark.skipif(not REAL_FEED.is_file(), reason=f"the real feed is not at {REAL_FEED}")
both = pytest.mark.parametrize(
    "source", ["generated", pytest.param("real", marks=needs_real_series)], ids=["generated", "real"]
)


def _real() -> list[Series]:
    return load(REAL_SERIES)


@cache
def _figures(source: str) -> Figures:
    """Count what the default method does at its own threshold."""
    read: Callable[[], list[Series]] = _real if source == "real" else generated
    scored, _ = score_streams(Detector("default", product_method(DEFAULT_METHOD), 1.0, ""), streams(read()))
    return count(scored, 1.0)


@pytest.mark.long
@both
def test_at_most_two_of_1000_decisions_are_false_alarms(source: str) -> None:
    assert _figures(source).false.value <= 0.002


@pytest.mark.long
@both
def test_alarms_and_detectable_events_are_mostly_the_same(source: str) -> None:
    assert _figures(source).f1 >= 0.87


@pytest.mark.long
@needs_real_series
def test_five_numbers_are_enough_to_find_four_of_five_detectable_events() -> None:
    assert _figures("real").found_by_history[5].value >= 0.80


@pytest.mark.long
def test_a_clean_year_opens_less_than_one_incident_a_series() -> None:
    years = [year(series, DEFAULT_METHOD) for series in clean_years(100)]
    assert fmean(one.incidents for one in years) < 1


@pytest.mark.long
def test_eight_metrics_with_their_shares_raise_no_more_false_alarms_a_run_than_one_may() -> None:
    years = [year(series, DEFAULT_METHOD, share=1 / METRICS_AT_ONCE) for series in clean_years(10 * METRICS_AT_ONCE)]
    groups = [years[start : start + METRICS_AT_ONCE] for start in range(0, len(years), METRICS_AT_ONCE)]
    counted = [false_runs(group) for group in groups]
    assert sum(false for false, _ in counted) <= 0.002 * sum(runs for _, runs in counted)


@needs_real_feed
def test_the_metric_that_jumps_about_raises_at_most_six_alarms_in_207_days() -> None:
    assert sum(alarms(load_feed(REAL_FEED)["windows_images"], DEFAULT_METHOD)) <= 6


@pytest.mark.parametrize("source", ["generated", pytest.param("real", marks=needs_real_feed)])
def test_a_crawl_that_loses_a_fifth_is_caught_on_19_of_20_days(source: str) -> None:
    feed = load_feed(REAL_FEED) if source == "real" else generated_feed()
    outcomes = [losses_caught(series, DEFAULT_METHOD) for series in feed.values()]
    assert sum(caught for caught, _ in outcomes) >= 0.95 * sum(tried for _, tried in outcomes)
