"""``maoctl metric plot``: the course of a metric, in the terminal or as an image."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import click

from cli.bodies import given
from cli.client import Json
from cli.commands.metric import POINTS, clone_option, metric, metric_argument, tool_argument
from cli.plot_image import checked_target, save
from cli.plot_text import draw, marks_for
from cli.plots import plot_of
from cli.session import Session
from cli.times import parse_instant, parse_past
from cli.verbs import verb

WIDTHS = (40, 400)
PIPE_WIDTH = 80
MOST_POINTS = 10_000
MOST_DECISIONS = 500


@verb(metric, "plot", "metric plot spike", "metric plot spike rows --last 60 --file rows.svg")
@tool_argument
@metric_argument
@click.option("--from", "since", metavar="TIME", help="Show points from then on: an instant, or 30d ago.")
@click.option("--to", "until", metavar="TIME", help="Show points up to then.")
@click.option(
    "--last", type=click.IntRange(1, MOST_POINTS), default=200, show_default=True, help="Show the newest so many."
)
@click.option("--file", "path", metavar="OUT", type=click.Path(path_type=Path), help="Write OUT.png or OUT.svg.")
@click.option("--width", type=click.IntRange(*WIDTHS), help="Columns; else those of the terminal, or 80.")
@clone_option
def plot(
    session: Session,
    tool: str,
    name: str,
    since: str | None,
    until: str | None,
    last: int,
    path: Path | None,
    width: int | None,
    clone: str | None,
) -> None:
    """Draw a metric's values (of `control`, where no METRIC is named) with the range that was accepted for each.

    Alarms are marked by their kind. Points that a person took out are marked too, and every decision that is in force
    is told with who made it and when. `-o json` gives the points themselves.
    """
    target = checked_target(path) if path else None
    begin, end = (parse_past(text, option) if text else None for text, option in ((since, "--from"), (until, "--to")))
    newest_first = session.server.each_point(tool, name, given({"clone": clone}))
    points = list(islice(_within(newest_first, begin, end), last))[::-1]
    if not session.is_for_people and target is None:
        session.printer.items(points, POINTS)
        return
    decisions = session.server.list_decisions(tool, MOST_DECISIONS).items
    drawn = plot_of(f"{tool} {name}", points, decisions)
    if target is not None:
        save(drawn, target)
        session.printer.message(f"The plot is in {target}.", {"file": str(target), "points": len(drawn.points)})
        return
    columns = width or (shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH)
    sys.stdout.write(draw(drawn, min(max(columns, WIDTHS[0]), WIDTHS[1]), marks_for(sys.stdout.encoding)))


def _within(points: Iterable[Json], begin: str | None, end: str | None) -> Iterable[Json]:
    """Give the points of a time, both ends included."""
    first, last = (parse_instant(text) if text else None for text in (begin, end))
    for point in points:
        at = parse_instant(str(point.get("measuredTime")))
        if at is None or ((first is None or at >= first) and (last is None or at <= last)):
            yield point
