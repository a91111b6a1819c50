"""The default method: expect what the last accepted numbers let expect, as exactly as they have been predictable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from app.spike.points import Point, Standing
from app.spike.verdict import Finding, Status

NAME = "adaptive"
MINIMUM_VALUES = 3
DEFAULTS = {"threshold": 5.0}
VERSION = 1
TAIL = 3.0


def find(past: Sequence[Point], newest: Point, parameters: Mapping[str, float]) -> Finding:
    """Compare with the last accepted number, in units of the changes between accepted numbers."""
    current = newest.value or 0.0
    values = [point.value or 0.0 for point in past[-200:] if point.is_counted][-60:]
    if not values:
        return Finding(Status.OK, f"{current:.12g} is the first number that counts.")
    size = max(map(abs, values)) or 1.0
    steps = [(b - a) / size for a, b in pairwise(values)] or [0.0]
    scale = math.sqrt((sum(step * step for step in steps) + 3 * 0.03**2) / (len(steps) + 3)) * size
    expected, permitted = values[-1], parameters["threshold"] * scale
    low, high = expected - permitted, expected + permitted
    is_anomaly = not low <= current <= high
    status = (
        Status.OK
        if not is_anomaly
        else Status.ZERO
        if current == 0
        else Status.SPIKE
        if current > high
        else Status.DROP
    )
    basis = f"the last {len(values)} accepted runs"
    return Finding(
        status=status,
        sentence=f"{current:.12g} where {low:.6g} to {high:.6g} was expected from {basis}.",
        expected=expected,
        low=low,
        high=high,
        score=abs(current - expected) / permitted if permitted else None,
        basis=basis,
        standing=Standing.FLAGGED if is_anomaly else Standing.COUNTED,
    )
