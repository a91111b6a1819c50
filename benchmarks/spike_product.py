"""The product's own methods as detectors: what they let count, they let count here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from app.spike import Point, Verdict, judge, replay, take_over
from benchmarks.spike_detectors import Begin, Step

_FIRST_DAY = datetime(2024, 1, 1, 3, 30, tzinfo=UTC)
_JUST_NO_ALARM = math.nextafter(1, 0)
_JUST_AN_ALARM = math.nextafter(1, 2)
Parameters = Mapping[str, float]


def product_method(method: str, parameters: Parameters | None = None, *, share: float = 1.0) -> Begin:
    """Make a detector of a method of the product; from just above 1 up a score is an alarm."""
    settings = tuple(sorted((parameters or {}).items()))

    def begin(history: Sequence[float], is_daily: bool) -> Step:
        past = list(_past(tuple(history), is_daily, method, settings, share))

        def step(value: float) -> float:
            point = _point(len(past), value, is_daily)
            verdict = judge([*past, point], method, dict(settings), share=share)
            take_over(past, verdict)
            past.append(replace(point, standing=verdict.standing))
            return relative_score(verdict)

        return step

    return begin


def points(values: Sequence[float], is_daily: bool) -> list[Point]:
    """Give numbers as points; daily ones have times a day apart, so that a method knows weekdays."""
    return [_point(place, value, is_daily) for place, value in enumerate(values)]


def settled(series: Sequence[Point], verdicts: Sequence[Verdict]) -> list[Point]:
    """Give each point the standing that it has after all these verdicts."""
    past: list[Point] = []
    for point, verdict in zip(series, verdicts, strict=True):
        take_over(past, verdict)
        past.append(replace(point, standing=verdict.standing))
    return past


def relative_score(verdict: Verdict) -> float:
    """Give the score in times of the threshold: above 1 exactly where the product raises an alarm."""
    if verdict.status.is_anomaly:
        return max(_JUST_AN_ALARM, math.inf if verdict.score is None else verdict.score)
    return min(_JUST_NO_ALARM, verdict.score or 0.0)


# A stream is judged twice, clean and with its event, after the same history.
@lru_cache(maxsize=2)
def _past(
    history: tuple[float, ...], is_daily: bool, method: str, settings: tuple[tuple[str, float], ...], share: float
) -> tuple[Point, ...]:
    series = points(history, is_daily)
    return tuple(settled(series, replay(series, method, dict(settings), share=share)))


def _point(place: int, value: float, is_daily: bool) -> Point:
    return Point(value, _FIRST_DAY + timedelta(days=place) if is_daily else None)
