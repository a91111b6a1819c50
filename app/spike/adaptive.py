"""The default method: a number is anomalous when no plain forecast explains it as well as they have done so far.

The forecasts are the last accepted number, the mean of the last four, the number of a season ago where that has been
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
from math import expm1, inf, log1p, sqrt

from app.spike.points import Point, Standing
from app.spike.verdict import Finding, Status
from app.spike.window import LEVEL_BEFORE, Forecast, Window

NAME = "adaptive"
MINIMUM_VALUES = 3
DEFAULTS = {"threshold": 5.0, "minimum_percent": 2.0, "minimum_change": 0.0}
VERSION = 1
_UNIT = 0.74
"""The deviation that one unit of ``threshold`` stands for."""
_TAIL_BASE = 4.0
_TAIL_STEP = 0.8
"""Degrees of freedom of the errors: the fewer steps have been seen, the more extreme ones are to be expected."""
_TENFOLD = 2.3
_HUNDREDFOLD = 4.6
_MOST_ERRORS = 8.0
_MOST_LARGE_ERRORS = 2.0
"""However little is known of a series, it is anomalous to be tenfold and eight usual errors away from what is expected.

So it is to be a hundredfold and two usual errors away.
"""
_DRIFT_WEIGHT = 1.2
_KEEP_OUT = 1.5
_EARLY_KEEP_OUT = 1.4
"""A number that is only just anomalous counts for those after it: up to so many times the threshold."""
_EARLY_JUMP = 0.9
"""Before five numbers count, an anomalous one does not when it is more than about two and a half times off."""
_CLEAR_DROP = 0.12
_CLEAR_QUIET = 0.1
_CLEAR_WEIGHT = 1.1
"""A loss of 12 % weighs a tenth more where steps are usually smaller than 10 %: failures are losses."""
_REPEATS = 0.25
_REPEATED_STEPS = 10.0
_REPEATED_DROP = 0.032
_REPEATED_SIZE = 0.32
"""Where one number in four repeats the one before it, a change is an event and not noise.

For each unit of ``threshold``, a loss of 3.2 % with a deviation of 0.32 is enough then, but no less than ten of the
smallest steps.
"""
_AGREE_SHARE = 0.5
_AGREE_ERRORS = 2.0
"""Two numbers agree when they differ by less than half of the jump to them, or by less than two usual errors."""
_ZERO_STEPS = 8.0
_ZERO_SHARE = 0.05
_JUST_BELOW = 0.99
_LEAST = 1e-9
_LARGEST = sys.float_info.max
_LARGEST_EXPONENT = 700.0
_ZERO_DEVIATION = 1.5
"""A zero where no number was ever near zero deviates by at least so many thresholds."""


@dataclass(frozen=True)
class _Deviation:
    """How unusually far the number is from what was expected, and where it would not be; in units of ``top``.

    ``plain`` is that size before losses were given more weight.
    """

    plain: float
    size: float
    forecast: Forecast
    expected: float
    low: float
    high: float


def find(past: Sequence[Point], newest: Point, parameters: Mapping[str, float]) -> Finding:
    """Judge ``newest`` by the accepted points near the end of ``past``.

    ``threshold`` is how unusual an error must be, ``minimum_percent`` and ``minimum_change`` (in the unit of the
    numbers) are changes from what was expected up to which nothing is anomalous. ``widening`` is by how much usual
    errors are taken for larger, because other metrics are judged at the same time.
    """
    window = Window(past, newest)
    if len(window) < MINIMUM_VALUES - 1 or (window.is_early and window.level == 0):
        return Finding(Status.OK, f"{_shown(newest.value)} is one of the first numbers that count.", score=0.0)
    permitted = max(parameters["threshold"] * _UNIT, _LEAST)
    widening = parameters.get("widening", 1.0)
    forecasts = [replace(forecast, error=forecast.error * widening) for forecast in window.forecasts()]
    found = _nearest(window, forecasts, permitted)
    found = _as_loss(window, forecasts, found, parameters["threshold"])
    found = _beyond_zero(window, found, permitted)
    found = _beyond_minimum(window, found, permitted, parameters)
    drift = abs(window.drift()) * _DRIFT_WEIGHT / widening
    status = _status(window, found, permitted, drift)
    score = max(found.size, drift if drift >= permitted else 0.0) / permitted
    if _counts(window, found, status, max(found.plain, drift), permitted):
        is_return = found.forecast.what == LEVEL_BEFORE
        return _finding(window, newest, found, status, score, Standing.LEVEL if is_return else Standing.COUNTED)
    if _agrees_with_flagged(window):
        return _finding(window, newest, found, Status.LEVEL_SHIFT, score, Standing.COUNTED, takes_over=1)
    return _finding(window, newest, found, status, score, Standing.FLAGGED)


def _nearest(window: Window, forecasts: Sequence[Forecast], permitted: float) -> _Deviation:
    """Measure the number by the forecast that explains it best."""
    forecast = min(forecasts, key=lambda forecast: _size(abs(window.now - forecast.value), forecast))
    distance, reach = abs(window.now - forecast.value), _reach(forecast, permitted)
    size = _size(distance, forecast)
    size = max(size, permitted) if distance > reach else size
    low, high = window.unscaled(forecast.value - reach), window.unscaled(forecast.value + reach)
    return _Deviation(size, size, forecast, window.unscaled(forecast.value), low, high)


def _size(distance: float, forecast: Forecast) -> float:
    """Measure by the tail of Student's t distribution: errors beyond all experience are to be expected at first."""
    freedom = _TAIL_BASE + _TAIL_STEP * forecast.steps
    return sqrt((freedom + 1) * log1p((distance / forecast.error) ** 2 / freedom))


def _reach(forecast: Forecast, size: float) -> float:
    """Give how far from a forecast a number has a deviation of ``size``, or may be at most."""
    freedom = _TAIL_BASE + _TAIL_STEP * forecast.steps
    reach = forecast.error * sqrt(freedom * expm1(min(size * size / (freedom + 1), _LARGEST_EXPONENT)))
    large = max(_HUNDREDFOLD, _MOST_LARGE_ERRORS * forecast.error)
    return min(reach, large, max(_TENFOLD, _MOST_ERRORS * forecast.error))


def _as_loss(window: Window, forecasts: Sequence[Forecast], found: _Deviation, threshold: float) -> _Deviation:
    """Let losses weigh more than gains: clear ones a little, those in a series that often repeats itself a lot."""
    lowest = window.unscaled(min(forecast.value for forecast in forecasts))
    if window.is_early or lowest <= 0:
        return found
    loss = lowest - window.current
    size, low = found.size, found.low
    if window.step_error <= _CLEAR_QUIET:
        size = size * _CLEAR_WEIGHT if loss >= _CLEAR_DROP * lowest else size
        low = max(low, min(lowest * (1 - _CLEAR_DROP), _low(window, found, threshold * _UNIT / _CLEAR_WEIGHT)))
    if window.repeats >= _REPEATS:
        least = _REPEATED_STEPS * window.smallest_step
        strength = min(found.plain / _REPEATED_SIZE, loss / lowest / _REPEATED_DROP) * _UNIT
        size = max(size, strength) if loss >= least else size
        drop = max(least, _REPEATED_DROP * threshold * lowest)
        low = max(low, min(lowest - drop, _low(window, found, _REPEATED_SIZE * threshold)))
    return replace(found, size=size, low=low)


def _low(window: Window, found: _Deviation, size: float) -> float:
    return window.unscaled(found.forecast.value - _reach(found.forecast, size))


def _beyond_zero(window: Window, found: _Deviation, permitted: float) -> _Deviation:
    """Let a zero be anomalous where no accepted number was ever near it, however much the numbers vary."""
    if window.current != 0 or not _is_never_zero(window):
        return found
    end = _ZERO_SHARE * found.expected
    size = max(found.size, _ZERO_DEVIATION * permitted)
    low, high = (max(found.low, end), found.high) if end > 0 else (found.low, min(found.high, end))
    return replace(found, size=size, low=low, high=high)


def _is_never_zero(window: Window) -> bool:
    is_far = window.level >= _ZERO_STEPS * window.smallest_step > 0
    return is_far and window.smallest > _ZERO_SHARE * window.level


def _beyond_minimum(window: Window, found: _Deviation, permitted: float, parameters: Mapping[str, float]) -> _Deviation:
    """Let small changes be no anomalies, however regular the numbers were."""
    share = parameters["minimum_percent"] / 100 * max(abs(found.expected), window.bend / 2)
    least = max(share, parameters["minimum_change"] / window.top)
    is_small = abs(window.current - found.expected) < least
    most = _JUST_BELOW * permitted if is_small else inf
    return replace(
        found,
        plain=min(found.plain, most),
        size=min(found.size, most),
        low=min(found.low, found.expected - least),
        high=max(found.high, found.expected + least),
    )


def _status(window: Window, found: _Deviation, permitted: float, drift: float) -> Status:
    if max(found.size, drift) < permitted:
        return Status.OK
    if drift > found.size:
        return Status.DRIFT
    if window.current == 0:
        return Status.ZERO
    return Status.SPIKE if window.current > found.expected else Status.DROP


def _counts(window: Window, found: _Deviation, status: Status, size: float, permitted: float) -> bool:
    """Tell whether later numbers are judged by this one too: what is far off, or a zero that should be none, is not."""
    if status is Status.ZERO and (window.is_early or _is_never_zero(window)):
        return False
    if window.is_early and status.is_anomaly and abs(window.now - found.forecast.value) > _EARLY_JUMP:
        return False
    return size < permitted * (_EARLY_KEEP_OUT if window.is_early else _KEEP_OUT)


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
    if window.is_positive:
        low = max(0.0, low)
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
