"""The default method: a number is anomalous when no plain forecast explains it as well as they have done so far.

The forecasts are the last accepted number, the mean of the last three, the number of a season ago where that has been
clearly better, and, right after a big step, the level before it. The error of each is measured against its own usual
error over the last accepted steps. Small errors that add up in one direction are a drift. What is anomalous does not
count for later numbers; where the next number agrees with it, both begin a new level.

Only the last points are looked at, and nothing is remembered between two judgements. Where the constants come from is
told in docs/spike-detection.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import expm1, log1p, sqrt

from app.spike.points import Point, Standing
from app.spike.verdict import Finding, Status
from app.spike.window import Forecast, Window

NAME = "adaptive"
MINIMUM_VALUES = 3
DEFAULTS = {"threshold": 5.0, "minimum_percent": 2.0, "minimum_change": 0.0}
VERSION = 1
TAIL = 3.0
_UNIT = 0.7
"""The deviation that one unit of ``threshold`` stands for."""
_TAIL_BASE = 4.0
_TAIL_STEP = 0.8
"""Degrees of freedom of the errors: the fewer steps have been seen, the more extreme ones are to be expected."""
_DRIFT_WEIGHT = 1.2
_KEEP_OUT = 1.2
"""A number that is only just anomalous counts for those after it: up to so many times the threshold."""
_AGREE_SHARE = 0.5
_AGREE_ERRORS = 2.0
"""Two numbers agree when they differ by less than half of the jump to them, or by less than two usual errors."""
_ZERO_STEPS = 8.0
_ZERO_SHARE = 0.05
_JUST_BELOW = 0.99
_LARGEST = sys.float_info.max
_LARGEST_EXPONENT = 700.0
_ZERO_DEVIATION = 1.5
"""A zero where no number was ever near zero deviates by at least so many thresholds."""


@dataclass(frozen=True)
class _Deviation:
    """How unusually far the number is from a forecast, and where it would not be; in units of ``top``."""

    size: float
    forecast: Forecast
    expected: float
    low: float
    high: float


def find(past: Sequence[Point], newest: Point, parameters: Mapping[str, float]) -> Finding:
    """Judge ``newest`` by the accepted points near the end of ``past``.

    ``threshold`` is how unusual an error must be, ``minimum_percent`` and ``minimum_change`` (in the unit of the
    numbers) are changes from what was expected up to which nothing is anomalous.
    """
    window = Window(past, newest)
    if len(window) < MINIMUM_VALUES - 1:
        return Finding(Status.OK, f"{_shown(newest.value)} is one of the first numbers that count.", score=0.0)
    permitted = parameters["threshold"] * _UNIT
    deviations = [_deviation(window, forecast, permitted) for forecast in window.forecasts()]
    found = min(deviations, key=lambda deviation: deviation.size)
    found = _beyond_minimum(window, _beyond_zero(window, found, permitted), permitted, parameters)
    drift = abs(window.drift()) * _DRIFT_WEIGHT
    size = max(found.size, drift if drift >= permitted else 0.0)
    status = _status(window, found, permitted, drift)
    standing = Standing.COUNTED if size < _KEEP_OUT * permitted else Standing.FLAGGED
    if standing is Standing.FLAGGED and _agrees_with_flagged(window):
        return _finding(window, newest, found, Status.LEVEL_SHIFT, size / permitted, Standing.COUNTED, takes_over=1)
    return _finding(window, newest, found, status, size / permitted, standing)


def _deviation(window: Window, forecast: Forecast, permitted: float) -> _Deviation:
    """Measure by the tail of Student's t distribution: errors beyond all experience are to be expected at first."""
    freedom = _TAIL_BASE + _TAIL_STEP * forecast.steps
    distance = abs(window.now - forecast.value) / forecast.error
    size = sqrt((freedom + 1) * log1p(distance * distance / freedom))
    exponent = min(permitted * permitted / (freedom + 1), _LARGEST_EXPONENT)
    reach = forecast.error * sqrt(freedom * expm1(exponent))
    low, high = window.unscaled(forecast.value - reach), window.unscaled(forecast.value + reach)
    return _Deviation(size, forecast, window.unscaled(forecast.value), low, high)


def _beyond_zero(window: Window, found: _Deviation, permitted: float) -> _Deviation:
    """Let a zero be anomalous where no accepted number was ever near it, however much the numbers vary."""
    never = window.smallest > _ZERO_SHARE * window.level and window.level >= _ZERO_STEPS * window.smallest_step > 0
    if window.current != 0 or not never:
        return found
    end = _ZERO_SHARE * found.expected
    size = max(found.size, _ZERO_DEVIATION * permitted)
    low, high = (max(found.low, end), found.high) if end > 0 else (found.low, min(found.high, end))
    return replace(found, size=size, low=low, high=high)


def _beyond_minimum(window: Window, found: _Deviation, permitted: float, parameters: Mapping[str, float]) -> _Deviation:
    """Let small changes be no anomalies, however regular the numbers were."""
    share = parameters["minimum_percent"] / 100 * max(abs(found.expected), window.bend / 2)
    least = max(share, parameters["minimum_change"] / window.top)
    is_small = abs(window.current - found.expected) < least
    size = min(found.size, _JUST_BELOW * permitted) if is_small else found.size
    return replace(
        found, size=size, low=min(found.low, found.expected - least), high=max(found.high, found.expected + least)
    )


def _status(window: Window, found: _Deviation, permitted: float, drift: float) -> Status:
    if max(found.size, drift) < permitted:
        return Status.OK
    if drift > found.size:
        return Status.DRIFT
    if window.current == 0:
        return Status.ZERO
    return Status.SPIKE if window.current > found.expected else Status.DROP


def _agrees_with_flagged(window: Window) -> bool:
    """Tell whether the number and the flagged one right before it have left the level in the same way.

    A level of zero is never taken over by itself: it is what failures look like.
    """
    before = window.flagged_before()
    if before is None or window.current == 0:
        return False
    jump, jump_before = window.now - window.scaled[-1], before - window.scaled[-1]
    tolerance = max(_AGREE_ERRORS * window.step_error, _AGREE_SHARE * abs(jump))
    return jump * jump_before > 0 and abs(window.now - before) < tolerance


def _finding(
    window: Window,
    newest: Point,
    found: _Deviation,
    status: Status,
    score: float,
    standing: Standing,
    takes_over: int = 0,
) -> Finding:
    expected, low, high = (_in_floats(number * window.top) for number in (found.expected, found.low, found.high))
    basis = f"{found.forecast.what} and how the last {len(window)} accepted runs varied"
    return Finding(
        status=status,
        sentence=_sentence(window, status, _shown(newest.value), f"{_shown(low)} to {_shown(high)}"),
        expected=expected,
        low=low,
        high=high,
        score=score,
        basis=basis,
        standing=standing,
        takes_over=takes_over,
    )


def _sentence(window: Window, status: Status, shown: str, accepted: str) -> str:
    past = f"the last {len(window)} runs"
    where = f"{shown} where {accepted} was expected from {past}"
    match status:
        case Status.OK:
            return f"{shown} is within {accepted}, as was expected from {past}."
        case Status.DRIFT:
            way = "up" if window.drift() > 0 else "down"
            return f"{shown} goes on a drift {way}: the last steps add up to more than those of {past} let expect."
        case Status.LEVEL_SHIFT:
            return f"{where}; the number before it agrees, so both are taken for a new level."
        case _:
            return f"{where}."


def _in_floats(number: float) -> float:
    return max(-_LARGEST, min(_LARGEST, number))


def _shown(number: float | None) -> str:
    return f"{number:.6g}"
