"""The points of a series: a number, when it was measured, and whether it counts for those after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """Whether a point counts for the judgement of later ones.

    COUNTED: it does. LEVEL: it does, and begins a new level, so that the step to it is no error of a forecast.
    FLAGGED: it was anomalous, and does not, unless a new level is made of it. EXCLUDED: a person took it out.
    """

    COUNTED = "counted"
    LEVEL = "level"
    FLAGGED = "flagged"
    EXCLUDED = "excluded"


COUNTING = frozenset({Standing.COUNTED, Standing.LEVEL})


@dataclass(frozen=True)
class Point:
    """A number of a series; ``value`` None is no number. ``at`` is an aware time, None where it is not known.

    ``standing`` None is that of a point which nobody has judged or decided about.
    """

    value: float | None
    at: datetime | None = None
    standing: Standing | None = None

    @property
    def is_counted(self) -> bool:
        """Tell whether it counts for those after it; what nobody has judged does."""
        return self.standing is None or self.standing in COUNTING


Series = Sequence[float | Point | None]


def as_points(series: Series) -> list[Point]:
    """Give a series as points whose values are finite numbers or None."""
    return [_finite_point(item) if isinstance(item, Point) else Point(finite(item)) for item in series]


def finite(value: float | None) -> float | None:
    """Give a number as a float, or None where it is none, not finite, or larger than every float."""
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:  # An integer may be larger than every float.
        return None
    return number if math.isfinite(number) else None


def _finite_point(point: Point) -> Point:
    number = finite(point.value)
    return point if number == point.value else Point(number, point.at, point.standing)
