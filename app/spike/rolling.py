"""The rule that the first users of this product know: compare with the mean of the two snapshots before.

It is a spike when the newest number lies more than ``threshold_percent`` above or below that mean. Every number counts
for those after it, also an anomalous one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.spike.averages import change_of, exact, nearest_float
from app.spike.points import Point
from app.spike.verdict import Finding, Status

NAME = "rolling"
MINIMUM_VALUES = 3
DEFAULTS = {"threshold_percent": 6.0}
VERSION = 1
"""Raised with every change after which the rule may judge the same numbers otherwise."""


def find(past: Sequence[Point], newest: Point, parameters: Mapping[str, float]) -> Finding:
    """Compare ``newest`` with the mean of the last two points of ``past``.

    Around a mean of 0 any other number is a spike without a gain. So is a number so far off that no float holds the
    difference.
    """
    threshold = parameters["threshold_percent"]
    current = newest.value or 0.0
    change = change_of([point.value or 0.0 for point in past[-2:]], current)
    permitted = abs(change.average) * exact(threshold) / 100
    is_beyond_floats = nearest_float(change.difference) is None
    is_spike = is_beyond_floats or abs(change.difference) > permitted
    return Finding(
        status=Status.SPIKE if is_spike else Status.OK,
        sentence=_sentence(current, float(change.average), change.gain_percent, threshold, is_spike),
        expected=float(change.average),
        low=nearest_float(change.average - permitted),
        high=nearest_float(change.average + permitted),
        score=0.0
        if change.difference == 0
        else nearest_float(abs(change.difference) / permitted)
        if permitted
        else None,
        basis="the mean of the two snapshots before",
    )


def _sentence(current: float, average: float, gain: float | None, threshold: float, is_spike: bool) -> str:
    if gain is None:
        comparison = "is not comparable in percent with"
    elif gain == 0:
        comparison = "equals"
    else:
        comparison = f"is {abs(gain):.4g} % {'above' if gain > 0 else 'below'}"
    rule = f"more than {threshold:g} % is a spike" if is_spike else f"up to {threshold:g} % is accepted"
    return f"{current:.12g} {comparison} {average:.12g}, the mean of the two snapshots before; {rule}."
