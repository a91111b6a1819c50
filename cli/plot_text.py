"""Draw a plot with characters: without colours, in any width, and in ASCII where the stream has nothing else."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from cli.plots import Decided, Plot

HEIGHT = 16
_DECIDED = "decided"
_TICK_EVERY = 5
_MOST_DIGITS = 15


@dataclass(frozen=True)
class Marks:
    """The characters of a plot; ``points`` by what a point is shown as, the more telling behind the less telling."""

    points: dict[str, str]
    band: str
    wall: str
    tick: str
    floor: str
    corner: str


UNICODE = Marks(
    {"ok": "•", "excluded": "×", "drift": "≈", "level_shift": "◆", "spike": "▲", "drop": "▼", "zero": "○"},
    band="░",
    wall="│",
    tick="┤",
    floor="─",
    corner="└",
)
ASCII = Marks(
    {"ok": "*", "excluded": "x", "drift": "~", "level_shift": "L", "spike": "^", "drop": "v", "zero": "0"},
    band=":",
    wall="|",
    tick="+",
    floor="-",
    corner="+",
)


def marks_for(encoding: str | None) -> Marks:
    """Give the marks that a stream of that encoding can show."""
    try:
        "".join([*UNICODE.points.values(), *list(vars(UNICODE).values())[1:]]).encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def draw(plot: Plot, width: int, marks: Marks) -> str:
    """Give the plot as lines of at most ``width`` characters, but for what people wrote as their reasons."""
    labels = _labels(plot)
    margin = max(len(_DECIDED), *map(len, labels))
    columns = width - margin - 2
    grid = _Grid(plot, columns, marks)
    grid.draw_band()
    grid.draw_points()
    lines = [plot.title]
    for row, cells in enumerate(grid.cells):
        wall = marks.tick if labels[row] else marks.wall
        lines.append(f"{labels[row]:>{margin}} {wall}{''.join(cells)}")
    lines.append(f"{'':{margin}} {marks.corner}{marks.floor * columns}")
    lines.append(f"{'':{margin}}  {_times(plot, columns)}")
    if plot.decisions:
        lines.insert(-2, f"{_DECIDED:>{margin}} {marks.wall}{grid.decisions()}")
    return "\n".join(line.rstrip() for line in [*lines, *_legend(plot, marks)]) + "\n"


class _Grid:
    """The characters of the drawing itself, the first row on top."""

    def __init__(self, plot: Plot, columns: int, marks: Marks) -> None:
        self.cells = [[" "] * columns for _ in range(HEIGHT)]
        self._plot = plot
        self._columns = columns
        self._marks = marks
        self._low, self._high = plot.range

    def draw_band(self) -> None:
        for index, point in enumerate(self._plot.points):
            if point.low is not None and point.high is not None:
                column = self._column(self._plot.place(index))
                for row in range(self._row(point.high), self._row(point.low) + 1):
                    self.cells[row][column] = self._marks.band

    def draw_points(self) -> None:
        ranks = list(self._marks.points)
        for index, point in sorted(enumerate(self._plot.points), key=lambda pair: ranks.index(pair[1].mark)):
            column = self._column(self._plot.place(index))
            self.cells[self._row(point.value)][column] = self._marks.points[point.mark]

    def decisions(self) -> str:
        line = [" "] * self._columns
        for decided in self._plot.decisions:
            line[self._column(self._place_of(decided))] = decided.letter
        return "".join(line)

    def _place_of(self, decided: Decided) -> float:
        first, last = self._plot.times
        if self._plot.is_by_order or first == last:
            return self._plot.place(self._plot.index_of(decided))
        return (decided.at - first).total_seconds() / (last - first).total_seconds()

    def _column(self, place: float) -> int:
        return min(max(round(place * (self._columns - 1)), 0), self._columns - 1)

    def _row(self, value: float) -> int:
        share = (self._plot.ratio(value) - self._low) / (self._high - self._low)
        return HEIGHT - 1 - round(share * (HEIGHT - 1))


def _labels(plot: Plot) -> list[str]:
    """Give the number beside each row, or nothing; with as many digits as tell them apart."""
    low, high = plot.range
    shares = {row: 1 - row / (HEIGHT - 1) for row in range(0, HEIGHT, _TICK_EVERY)}
    numbers = {row: _unscaled(low + share * (high - low), plot.scale) for row, share in shares.items()}
    for digits in range(3, _MOST_DIGITS):
        texts = {row: f"{number:.{digits}g}" for row, number in numbers.items()}
        if len(set(texts.values())) == len(texts):
            break
    return [texts.get(row, "") for row in range(HEIGHT)]


def _unscaled(ratio: float, scale: float) -> float:
    """Give the number behind a ratio; beyond the largest number of all there is none."""
    largest = sys.float_info.max
    return min(max(ratio * scale, -largest), largest)


def _times(plot: Plot, columns: int) -> str:
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in plot.times)
    return first if first == last else f"{first}{last:>{columns - len(first)}}"


def _legend(plot: Plot, marks: Marks) -> list[str]:
    shown = {point.mark for point in plot.points}
    words = [f"{mark} {'value' if name == 'ok' else name}" for name, mark in marks.points.items() if name in shown]
    if any(point.low is not None for point in plot.points):
        words.append(f"{marks.band} accepted")
    if plot.is_by_order:
        words.append("in their order, as times would not show them")
    if plot.without_value:
        words.append(f"{plot.without_value} point(s) without a number are not shown")
    lines = ["   ".join(words)]
    return lines + [f"{decided.letter}: {decided.sentence}" for decided in plot.decisions]
