"""Detectors of the textbooks that the product has not, as their books set them. Every number becomes part of the past.

Where the past does not vary at all, another number has a score without a bound.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks.spike_detectors import Detector, from_past

_NORMAL_CONSISTENCY = 1.4826
_NORMAL_CONSISTENCY_OF_MEAN = 1.2533
"""The standard deviation of normally distributed numbers over their median, and their mean, absolute deviation."""
_FEWEST = 3
_HAMPEL_WINDOW = 15
_EWMA_WEIGHT = 0.2
_CUSUM_SLACK = 0.5
_CUSUM_LIMIT = 5.0
_WEEK = 7
_WEEKS_NEEDED = 14


def hampel(past: Sequence[float], value: float, _: bool) -> float:
    """Compare with the median of the last numbers, the newest among them, in median absolute deviations.

    Where more than half of them are the same, that is 0, and the mean absolute deviation serves in its place.
    """
    if len(past) < _FEWEST:
        return 0.0
    window = [*past[-(_HAMPEL_WINDOW - 1) :], value]
    center = statistics.median(window)
    distances = [abs(one - center) for one in window]
    median, mean = statistics.median(distances), statistics.fmean(distances)
    usual = _NORMAL_CONSISTENCY * median if median > 0 else _NORMAL_CONSISTENCY_OF_MEAN * mean
    return _in_times_of(abs(value - center), usual)


def ewma_chart(past: Sequence[float], value: float, _: bool) -> float:
    """Compare the weighted mean of all numbers, the newest weighing most, with mean and deviation of the past."""
    if len(past) < _FEWEST:
        return 0.0
    center, deviation = statistics.fmean(past), statistics.stdev(past)
    smoothed = center
    for one in [*past, value]:
        smoothed += _EWMA_WEIGHT * (one - smoothed)
    forgotten = (1 - _EWMA_WEIGHT) ** (2 * (len(past) + 1))
    width = math.sqrt(_EWMA_WEIGHT / (2 - _EWMA_WEIGHT) * (1 - forgotten))
    return _in_times_of(abs(smoothed - center), deviation * width)


def cusum(past: Sequence[float], value: float, _: bool) -> float:
    """Add up what exceeds the mean by more than the slack, each way; a signal begins the sums anew."""
    if len(past) < _FEWEST:
        return 0.0
    center, deviation = statistics.fmean(past), statistics.stdev(past)
    if deviation == 0:
        return _in_times_of(abs(value - center), 0.0)
    above = below = 0.0
    for one in [*past, value]:
        if max(above, below) >= _CUSUM_LIMIT:
            above = below = 0.0
        step = (one - center) / deviation
        above, below = max(0.0, above + step - _CUSUM_SLACK), max(0.0, below - step - _CUSUM_SLACK)
    return max(above, below)


def seasonal_naive(past: Sequence[float], value: float, is_daily: bool) -> float:
    """Compare with the same weekday of last week, or the number before, in the usual error of that forecast."""
    lag = _WEEK if is_daily and len(past) >= _WEEKS_NEEDED else 1
    if len(past) < lag + _FEWEST:
        return 0.0
    errors = [(later - earlier) for earlier, later in zip(past, past[lag:], strict=False)]
    usual = math.sqrt(statistics.fmean(error * error for error in errors))
    return _in_times_of(abs(value - past[-lag]), usual)


def _in_times_of(distance: float, usual: float) -> float:
    if usual > 0:
        return distance / usual
    return math.inf if distance > 0 else 0.0


CLASSICS = (
    Detector("hampel", from_past(hampel), 3.0, "median and MAD of the last 15, the newest included; 3"),
    Detector("ewma", from_past(ewma_chart), 3.0, "weight 0.2, limits of 3 deviations of the whole past"),
    Detector("cusum", from_past(cusum), _CUSUM_LIMIT, "slack 0.5, limit 5, mean and deviation of the whole past"),
    Detector(
        "seasonal_naive", from_past(seasonal_naive), 3.0, "a week ago for daily numbers, else the last; 3 RMS errors"
    ),
)
