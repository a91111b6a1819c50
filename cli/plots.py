"""What a plot shows of a metric: its points with their accepted ranges, and what people decided about them.

Whatever draws it works in ratios of ``scale``, the largest number of the plot, so that no sum or difference of numbers
near the end of the range of floats overflows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise

from cli.client import Json
from cli.errors import Refused
from cli.terminal import clean_line
from cli.times import parse_instant, show_instant

ALARMS = ("spike", "drop", "zero", "drift", "level_shift")
EXCLUDED = "excluded"
_BAND_SPANS = 2.0
_PADDING = 0.05
_YEARS = (1900, 2200)
"""Beyond them a time is a slip, and would press all others into one place."""
_FLAT = 1e-12
"""A difference that is lost in the rounding of floats, in ratios of the largest value."""


@dataclass(frozen=True)
class PlotPoint:
    """A number, when it was measured, the range that was accepted for it, and what was found of it."""

    at: datetime
    value: float
    low: float | None
    high: float | None
    status: str
    standing: str

    @property
    def mark(self) -> str:
        """What the point is shown as: the kind of an alarm, ``excluded``, or ``ok``."""
        if self.standing == EXCLUDED:
            return EXCLUDED
        return self.status if self.status in ALARMS else "ok"


@dataclass(frozen=True)
class Decided:
    """What a person decided, and when the first point that it is about was measured; or when it was decided.

    ``index`` is the number of that point among those that are drawn.
    """

    at: datetime
    letter: str
    sentence: str
    index: int | None = None


@dataclass(frozen=True)
class Plot:
    """Points, oldest first, of which there is at least one, and decisions in their order."""

    title: str
    points: Sequence[PlotPoint]
    decisions: Sequence[Decided] = ()
    without_value: int = 0

    @cached_property
    def scale(self) -> float:
        """The size of the largest value; 1 where all are 0."""
        return max(abs(point.value) for point in self.points) or 1.0

    @cached_property
    def range(self) -> tuple[float, float]:
        """Give the ends of the vertical axis in ratios of ``scale``.

        They hold all values, and the accepted ranges as far as these are not much wider than the values.
        """
        scale = self.scale
        values = [point.value / scale for point in self.points]
        low, high = min(values), max(values)
        reach = _BAND_SPANS * max(high - low, 1e-3)
        ends = [end / scale for point in self.points for end in (point.low, point.high) if end is not None]
        low = min([low, *(max(end, low - reach) for end in ends)])
        high = max([high, *(min(end, high + reach) for end in ends)])
        is_flat = high - low < _FLAT
        padding = _PADDING * ((abs(high) if is_flat else high - low) or 1.0)
        return low - padding, high + padding

    def ratio(self, number: float) -> float:
        """Give where a number is on the vertical axis, in ratios of ``scale``; what is beyond is at the end."""
        low, high = self.range
        return min(max(number / self.scale, low), high)

    @cached_property
    def times(self) -> tuple[datetime, datetime]:
        """Give the earliest and the latest time."""
        times = [point.at for point in self.points]
        return min(times), max(times)

    @cached_property
    def is_by_order(self) -> bool:
        """Whether the points stand one after the other, as far apart each, because their times would not show them.

        Several may have one time, as that of a day in the names of files, and a date may be any that can be written.
        """
        first, last = self.times
        is_odd = first.year < _YEARS[0] or last.year > _YEARS[1]
        return is_odd or any(after.at <= before.at for before, after in pairwise(self.points))

    def place(self, index: int) -> float:
        """Give where a point is on the horizontal axis, from 0 to 1."""
        first, last = self.times
        if self.is_by_order and len(self.points) > 1:
            return index / (len(self.points) - 1)
        span = (last - first).total_seconds()
        return (self.points[index].at - first).total_seconds() / span if span else 0.5

    def index_of(self, decided: Decided) -> int:
        """Give the number of the point that a decision is shown at: the first that it is about, or of its time."""
        if decided.index is not None:
            return decided.index
        later = (index for index, point in enumerate(self.points) if point.at >= decided.at)
        return next(later, len(self.points) - 1)


def plot_of(title: str, points: Sequence[Json], decisions: Sequence[Json]) -> Plot:
    """Put together what the server told; ``points`` are oldest first.

    Raises:
        Refused: there is nothing to draw.
    """
    found = [(point.get("id"), read) for point in points if (read := _point(point)) is not None]
    drawn = [point for _, point in found]
    if not points:
        raise Refused(f"There are no points of {title} in that time.", hint="Leave out --from, --to and --last.")
    if not drawn:
        raise Refused(f"None of the {len(points)} point(s) of {title} is a number, so there is nothing to draw.")
    places = {number: index for index, (number, _) in enumerate(found)}
    decided = [made for decision in decisions if (made := _decided(decision, places, drawn)) is not None]
    return Plot(title, drawn, sorted(decided, key=lambda made: made.at), without_value=len(points) - len(drawn))


def _point(point: Json) -> PlotPoint | None:
    at, value = parse_instant(str(point.get("measuredTime"))), _number(point.get("value"))
    if at is None or value is None:
        return None
    low, high = _number(point.get("low")), _number(point.get("high"))
    status, standing = str(point.get("status")), str(point.get("standing"))
    return PlotPoint(at.astimezone(UTC), value, low, high, status, standing)


def _decided(decision: Json, places: dict[object, int], drawn: Sequence[PlotPoint]) -> Decided | None:
    """Give a decision that is in force and is about something that the plot shows, or was made in its time."""
    made = parse_instant(str(decision.get("decidedAt")))
    if made is None or decision.get("undoneAt"):
        return None
    about = [places[point.get("id")] for point in decision.get("points") or () if point.get("id") in places]
    first, last = min(point.at for point in drawn), max(point.at for point in drawn)
    if not about and not (decision.get("kind") == "mute" and first <= made <= last):
        return None
    kind, who = clean_line(str(decision.get("kind"))), clean_line(str(decision.get("actor")))
    number = f" {len(about)} point(s)" if about else ""
    why = clean_line(str(decision.get("why") or ""))
    sentence = f"{kind}{number}, by {who} at {show_instant(made)}: {why}"
    index = min(about, default=None)
    at = made.astimezone(UTC) if index is None else drawn[index].at
    return Decided(at, kind[:1].upper(), sentence, index)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
