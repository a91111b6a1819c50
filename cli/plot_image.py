"""Draw a plot as PNG or SVG, by matplotlib, which is an option of the installation. Needs no display."""

from __future__ import annotations

import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

from cli.errors import WrongUse
from cli.plots import Plot

KINDS = (".png", ".svg")
_SIZE_INCHES = (11.0, 5.0)
_DOTS_PER_INCH = 120
_MARKS = {"spike": "^", "drop": "v", "zero": "o", "drift": "d", "level_shift": "D", "excluded": "x"}
_COLOURS = {"spike": "C3", "drop": "C3", "zero": "C3", "drift": "C1", "level_shift": "C1", "excluded": "0.5"}
_SMALL = 1e-100
_LEAST_EXPONENT = -307


def checked_target(path: Path) -> Path:
    """Give a path whose name says which kind of image it is for.

    Raises:
        WrongUse: it is another kind.
    """
    if path.suffix.lower() not in KINDS:
        raise WrongUse(f"'{path}' is no name of an image that can be drawn.", hint="End it with .png or .svg.")
    return path


def save(plot: Plot, path: Path) -> None:
    """Write the image, whole or not at all, in place of one that is there.

    Raises:
        WrongUse: matplotlib is not installed, or the file cannot be written.
    """
    figure = _figure(plot)
    kind = path.suffix.lower()[1:]
    metadata = {"Date": None} if kind == "svg" else {}
    try:
        with tempfile.TemporaryDirectory(prefix=".maoctl-", dir=path.parent) as folder:
            made = Path(folder, "image")
            with warnings.catch_warnings():
                # What people wrote may hold signs that the font does not have; they are shown as boxes.
                warnings.filterwarnings("ignore", message="Glyph")
                figure.savefig(made, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)
            made.replace(path)
    except OSError as error:
        raise WrongUse(f"'{path}' cannot be written: {error.strerror}.") from error


def _figure(plot: Plot) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise WrongUse(
            "The library matplotlib, which draws images, is not installed.",
            hint="Install it with: pip install 'mao-orchestrator[plot]'. Without --file the terminal shows the plot.",
        ) from error
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    unit, scale = _unit(plot)
    _draw_values(axes, plot, scale)
    _draw_decisions(axes, plot)
    # What people and tools wrote is shown as it is: a dollar sign begins no formula.
    axes.set_title(plot.title, parse_math=False)
    axes.set_ylabel(unit)
    axes.set_ylim(*(end * (plot.scale / scale) for end in plot.range))
    axes.legend(loc="best", fontsize="small")
    if plot.is_by_order:
        axes.set_xlabel("in their order, as times would not show them")
    else:
        figure.autofmt_xdate()
    return figure


def _across(plot: Plot) -> list[Any]:
    """Give where each point is on the horizontal axis: its time, or its number where times would not show it."""
    return list(range(len(plot.points))) if plot.is_by_order else [point.at for point in plot.points]


def _unit(plot: Plot) -> tuple[str, float]:
    """Give the unit of the vertical axis: a power of ten, where numbers are too large or too small for a drawing."""
    if _SMALL < plot.scale < 1 / _SMALL:
        return "", 1.0
    exponent = max(math.floor(math.log10(plot.scale)), _LEAST_EXPONENT)
    return f"in 1e{exponent}", 10.0**exponent


def _draw_values(axes: Any, plot: Plot, scale: float) -> None:
    places = _across(plot)
    bands = [(place, point.low, point.high) for place, point in zip(places, plot.points, strict=True)]
    known = [(place, low, high) for place, low, high in bands if low is not None and high is not None]
    axes.fill_between(
        [place for place, _, _ in known],
        [plot.ratio(low) * (plot.scale / scale) for _, low, _ in known],
        [plot.ratio(high) * (plot.scale / scale) for _, _, high in known],
        color="C0",
        alpha=0.15,
        linewidth=0,
        label="accepted",
    )
    axes.plot(places, [point.value / scale for point in plot.points], ".-", color="C0", linewidth=0.8, label="value")
    for mark, shape in _MARKS.items():
        marked = [index for index, point in enumerate(plot.points) if point.mark == mark]
        if marked:
            x, y = [places[index] for index in marked], [plot.points[index].value / scale for index in marked]
            axes.plot(x, y, shape, color=_COLOURS[mark], markersize=8, linestyle="none", label=mark)


def _draw_decisions(axes: Any, plot: Plot) -> None:
    for number, decided in enumerate(plot.decisions):
        index = plot.index_of(decided)
        place = index if plot.is_by_order else decided.at
        axes.axvline(place, color="0.4", linestyle="--", linewidth=0.8)
        side, shift = ("left", 2) if plot.place(index) < 0.5 else ("right", -2)
        looks = {"xytext": (shift, -10 - 9 * (number % 5)), "textcoords": "offset points", "horizontalalignment": side}
        text = decided.sentence if len(decided.sentence) <= 80 else f"{decided.sentence[:79]}…"
        axes.annotate(
            text, (place, 1), xycoords=("data", "axes fraction"), parse_math=False, fontsize="x-small", **looks
        )
