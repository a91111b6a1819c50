"""What the spike detectors are measured with: series, events, and the counting of alarms."""

from __future__ import annotations

import numpy as np
import pytest

from app.spike import replay
from benchmarks.spike_classics import CLASSICS
from benchmarks.spike_detectors import Detector, score_streams
from benchmarks.spike_events import JUDGED, Event, Stream, streams
from benchmarks.spike_feed import incidents, losses_caught
from benchmarks.spike_figures import Scored, Share, count, rare_alarm_threshold
from benchmarks.spike_generator import FAMILIES, clean_years, feed, generated
from benchmarks.spike_labels import label
from benchmarks.spike_product import points, product_method, relative_score
from benchmarks.spike_scores import adaptive
from benchmarks.spike_series import Mask, Series, Values

NOTHING = np.zeros(JUDGED)


def _alarms(*places: int) -> Values:
    scores = np.zeros(JUDGED)
    scores[list(places)] = 1.0
    return scores


def _stream(event: Event | None = None, ambiguous: Mask | None = None) -> Stream:
    quiet = np.zeros(JUDGED, dtype=np.bool_) if ambiguous is None else ambiguous
    values = np.full(25, 100.0)
    return Stream("family/0", True, 5, values, quiet, values if event else None, event)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_makes_the_same_series_again_and_only_numbers_that_are_counted(family: str) -> None:
    first, second = ([one for one in generated(per_family=3) if one.name.startswith(f"{family}/")] for _ in range(2))
    assert len(first) == 3
    for one, again in zip(first, second, strict=True):
        assert np.array_equal(one.values, again.values)
        assert 100 <= len(one.values) <= 700
        assert np.all(np.isfinite(one.values)) and one.is_never_negative
        assert len(set(one.values)) > 1


def test_years_and_feed_are_as_long_as_asked_for() -> None:
    assert [len(one.values) for one in clean_years(9, days=50)] == [50] * 9
    assert [len(one.values) for one in feed(days=30)] == [30] * 11


def test_an_event_changes_nothing_before_it_and_something_in_time() -> None:
    made = [stream for stream in streams(generated(per_family=1)) if stream.event is not None]
    assert {stream.event.kind for stream in made if stream.event} == {
        "spike_up", "spike_down", "zero", "partial", "shift", "trend",
    }  # fmt: skip
    for stream in made:
        event, altered = stream.event, stream.altered
        assert event is not None and altered is not None
        place = stream.history + event.offset
        assert np.array_equal(altered[:place], stream.clean[:place])
        in_time = slice(place, place + event.tolerance + 1)
        assert not np.array_equal(altered[in_time], stream.clean[in_time])


def test_a_stream_does_not_depend_on_which_others_are_built() -> None:
    series = generated(per_family=1)
    alone = list(streams(series[3:4]))
    among_others = [stream for stream in streams(series) if stream.series == series[3].name]
    assert [(one.clean.tolist(), one.event) for one in alone] == [
        (one.clean.tolist(), one.event) for one in among_others
    ]


def test_a_jump_of_a_quiet_series_is_ambiguous_and_its_ordinary_days_are_not() -> None:
    values = 1000 + 5 * np.sin(np.arange(120.0))
    values[60] = 3000
    labels = label(Series("quiet/0", values, is_daily=True))
    assert labels.is_ambiguous[60]
    assert not labels.is_ambiguous[:55].any() and not labels.is_ambiguous[66:].any()


def test_a_row_of_alarms_is_one_alarm_and_ambiguous_places_count_for_nobody() -> None:
    ambiguous = np.zeros(JUDGED, dtype=np.bool_)
    ambiguous[15] = True
    figures = count([Scored(_stream(ambiguous=ambiguous), _alarms(3, 4, 5, 9, 15), None)], 1.0)
    assert figures.false == Share(2, JUDGED - 1)


def test_an_event_is_found_in_time_or_not_at_all() -> None:
    event = Event("partial", offset=5, length=2, tolerance=1, strength=9.0)
    found = count([Scored(_stream(event), NOTHING, _alarms(6))], 1.0)
    assert (found.found, found.precision, found.f1, found.echo) == (Share(1, 1), 1.0, 1.0, 0.0)
    late = count([Scored(_stream(event), NOTHING, _alarms(1, 7))], 1.0)
    assert (late.found, late.false_before_events, late.precision, late.f1, late.echo) == (Share(0, 1), 1, 0.0, 0.0, 1.0)


def test_what_no_person_would_see_is_not_asked_of_a_detector() -> None:
    event = Event("spike_up", offset=5, length=1, tolerance=0, strength=2.9)
    figures = count([Scored(_stream(event), NOTHING, _alarms(5))], 1.0)
    assert (figures.found, figures.found_any) == (Share(0, 0), Share(1, 1))


def test_the_threshold_for_rare_alarms_is_the_lowest_that_keeps_them_rare() -> None:
    scores = np.array([float(place % 2 * place) for place in range(JUDGED)])
    scored = [Scored(_stream(), scores, None)]
    threshold = rare_alarm_threshold(scored, permitted=0.1)
    assert threshold == 17.0
    assert count(scored, threshold).false == Share(2, JUDGED)


@pytest.mark.parametrize("detector", CLASSICS, ids=lambda detector: detector.name)
def test_a_classic_is_calm_about_the_same_number_and_not_about_another(detector: Detector) -> None:
    for length in (5, 10, 40):
        step = detector.begin([100.0] * length, True)
        assert step(100.0) == 0.0
        assert step(50.0) >= detector.threshold


@pytest.mark.parametrize("method", ["adaptive", "rolling", "zscore", "mad"])
def test_the_product_is_measured_by_the_alarms_that_it_raises(method: str) -> None:
    values = [float(value) for value in generated(per_family=1)[0].values[:80]]
    values[60] *= 2
    step = product_method(method)(values[:20], True)
    verdicts = replay(points(values, is_daily=True), method)
    assert [step(value) > 1 for value in values[20:]] == [verdict.status.is_anomaly for verdict in verdicts[20:]]
    assert [relative_score(verdict) > 1 for verdict in verdicts] == [verdict.status.is_anomaly for verdict in verdicts]


def test_scores_of_a_function_do_not_depend_on_later_numbers() -> None:
    values = [float(value) for value in generated(per_family=1)[3].values[:60]]
    assert adaptive(values, 30, True)[:10] == adaptive([*values[:40], *([0.0] * 20)], 30, True)[:10]


def test_scores_without_bound_can_be_ordered() -> None:
    boundless = Detector("boundless", lambda *_: lambda _: float("inf"), 1.0, "")
    scored, _ = score_streams(boundless, [_stream()])
    assert np.all(np.isfinite(scored[0].clean)) and np.all(scored[0].clean > 1)


def test_incidents_are_rows_of_alarms_and_a_lost_fifth_of_a_calm_feed_is_always_caught() -> None:
    assert incidents([True, True, False, True, False, False, True]) == 3
    assert losses_caught(points([100.0 + place % 3 for place in range(30)], is_daily=True), "adaptive") == (20, 20)
