"""The rules of the textbooks, by name for those who want them, and to compare with.

Every number counts for those after it, also an anomalous one. Around numbers that are all the same, any other number is
anomalous.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from app.spike.points import Point
from app.spike.verdict import Finding, Status

MINIMUM_VALUES = 4
VERSION = 1
ZSCORE_DEFAULTS = {"threshold": 3.0, "window": 0.0}
MAD_DEFAULTS = {"threshold": 3.5, "window": 30.0}
_NORMAL_CONSISTENCY = 1.4826
"""The standard deviation of normally distributed numbers over their median absolute deviation."""


def zscore(past: Sequence[Point], newest: Point, parameters: Mapping[str, float]) -> Finding:
    """Compare with mean and standard deviation of the last ``window`` numbers; a window of 0 is the whole past."""
    values, size = _scaled(past, parameters)
    center = statistics.fmean(values)
    spread = statistics.pstdev(values, center)
    return _finding(newest, center, spread, size, parameters["threshold"], f"the mean of {_count(values)}")


def mad(past: Sequence[Point], newest: Point, parameters: Mapping[str, float]) -> Finding:
    """Compare with median and median absolute deviation of the last ``window`` numbers; 0 is the whole past."""
    values, size = _scaled(past, parameters)
    center = statistics.median(values)
    spread = _NORMAL_CONSISTENCY * statistics.median(abs(value - center) for value in values)
    return _finding(newest, center, spread, size, parameters["threshold"], f"the median of {_count(values)}")


def _scaled(past: Sequence[Point], parameters: Mapping[str, float]) -> tuple[list[float], float]:
    """Give the numbers of the window divided by the largest of them, and that one: no square of them overflows."""
    values = [point.value or 0.0 for point in past[-int(parameters["window"]) :]]
    size = max(map(abs, values)) or 1.0
    return [value / size for value in values], size


def _count(values: Sequence[float]) -> str:
    return f"the last {len(values)} snapshots"


def _finding(newest: Point, center: float, spread: float, size: float, threshold: float, basis: str) -> Finding:
    current, expected, permitted = newest.value or 0.0, center * size, threshold * spread * size
    distance = abs(current / size - center) if size >= 1 else abs(current - expected) / size
    is_anomaly = distance > threshold * spread
    low, high = expected - permitted, expected + permitted
    status = Status.OK if not is_anomaly else Status.SPIKE if current > expected else Status.DROP
    verb = "where" if is_anomaly else "and"
    return Finding(
        status=status,
        sentence=f"{current:.12g} {verb} {low:.6g} to {high:.6g} was expected from {basis}.",
        expected=expected,
        low=low,
        high=high,
        score=distance / (threshold * spread) if threshold * spread > 0 else 0.0 if distance == 0 else None,
        basis=basis,
    )
