"""What the spike detector does to a feed of eleven metrics, in a year, and with several metrics at once.

``python -m benchmarks spike_feed [--csv FILE] [--method NAME] [--quick]``: a feed is a CSV with a heading; its first
column is the day, as in ``2026-11-22``, each other column a metric. Without FILE a feed is made by the generator.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from app.spike import METHODS, Point, Verdict, judge, replay, take_over
from benchmarks.figures import heading, line
from benchmarks.spike_generator import clean_years, feed
from benchmarks.spike_labels import label
from benchmarks.spike_product import points
from benchmarks.spike_series import Series

LOST = 0.2
"""A failed crawl brings so much less than everything."""
FIRST_LOSS = 10
"""The first so many days of a feed are left as they are."""
YEARS = 100
METRICS_AT_ONCE = 8
_QUICK = 5

Feed = dict[str, list[Point]]


@dataclass(frozen=True)
class Year:
    """A clean series, and for each of its days whether an alarm was raised and whether nature is ambiguous there."""

    series: Series
    alarms: list[bool]
    is_ambiguous: list[bool]

    @property
    def incidents(self) -> int:
        """Count the rows of alarms: a row is one incident."""
        return incidents(self.alarms)


def main(arguments: Sequence[str]) -> int:
    """Measure, show, and give the exit status."""
    options = _parser().parse_args(arguments)
    try:
        metrics = load_feed(options.csv) if options.csv else generated_feed()
    except (OSError, ValueError, StopIteration) as error:
        print(f"The feed in '{options.csv}' cannot be read: {error}", file=sys.stderr)
        return 1
    years = clean_years(YEARS // _QUICK if options.quick else YEARS)
    name = options.csv.name if options.csv else "of the generator"
    _show_feed(f"feed {name}, {options.method}", metrics, options.method, _QUICK if options.quick else 1)
    _show_years(years, options.method)
    _show_several(years, options.method)
    return 0


def load_feed(path: Path) -> Feed:
    """Read a feed.

    Raises:
        OSError: the file cannot be read.
        ValueError, StopIteration: it is no feed.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        _, *names = next(rows)
        days = [(datetime.fromisoformat(day).replace(tzinfo=UTC), values) for day, *values in rows]
    return {name: [Point(float(values[place]), at) for at, values in days] for place, name in enumerate(names)}


def generated_feed() -> Feed:
    """Make a feed of eleven counts over 209 days."""
    return {series.name: points(list(map(float, series.values)), is_daily=True) for series in feed()}


def alarms(series: Sequence[Point], method: str, share: float = 1.0) -> list[bool]:
    """Tell for each point whether it is anomalous, judged by those before it."""
    return [verdict.status.is_anomaly for verdict in replay(series, method, share=share)]


def incidents(raised: Sequence[bool]) -> int:
    """Count the rows of alarms."""
    return sum(now and not before for before, now in pairwise([False, *raised]))


def losses_caught(series: Sequence[Point], method: str, step: int = 1) -> tuple[int, int]:
    """Let a fifth be lost at each day after the tenth in turn; give how often that was an alarm, and how often tried.

    The days before stay as they were, with the standing that their own verdicts gave them.
    """
    past: list[Point] = []
    caught = tried = 0
    for place, (point, verdict) in enumerate(zip(series, replay(series, method), strict=True)):
        if place >= FIRST_LOSS and place % step == 0:
            tried += 1
            caught += _loss(past, point, method).status.is_anomaly
        take_over(past, verdict)
        past.append(replace(point, standing=verdict.standing))
    return caught, tried


def year(series: Series, method: str, share: float = 1.0) -> Year:
    """Judge a series day by day."""
    raised = alarms(points(list(map(float, series.values)), series.is_daily), method, share)
    return Year(series, raised, [bool(odd) for odd in label(series).is_ambiguous])


def false_runs(years: Sequence[Year]) -> tuple[int, int]:
    """Take the series as metrics of the same runs; give how many runs had a false alarm in any, and all runs."""
    days = len(years[0].alarms)
    false = sum(any(_is_false(one, day) for one in years) for day in range(days))
    return false, days


def _is_false(one: Year, day: int) -> bool:
    began = one.alarms[day] and not (day and one.alarms[day - 1])
    return began and not one.is_ambiguous[day]


def _loss(past: Sequence[Point], point: Point, method: str) -> Verdict:
    return judge([*past, replace(point, value=(1 - LOST) * (point.value or 0.0))], method)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks spike_feed", description="Judge feeds and years.")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="judge this feed: a column of days, then the metrics")
    parser.add_argument("--method", choices=sorted(METHODS), default="adaptive", help="the method (adaptive)")
    parser.add_argument("--quick", action="store_true", help="try a fifth of the days, and 20 years instead of 100")
    return parser


def _show_feed(name: str, metrics: Feed, method: str, step: int) -> None:
    heading(f"{name}: {len(metrics)} metrics, {max(map(len, metrics.values()))} days")
    line("", "decisions", "alarms", "incidents", f"-{LOST:.0%}", "caught")
    total_caught = total_tried = 0
    for metric, series in metrics.items():
        raised = alarms(series, method)
        caught, tried = losses_caught(series, method, step)
        total_caught, total_tried = total_caught + caught, total_tried + tried
        decisions = len(series) - METHODS[method].minimum_values + 1
        line(metric, *map(str, (decisions, sum(raised), incidents(raised), tried)), f"{caught / tried:.1%}")
    line("all", "", "", "", str(total_tried), f"{total_caught / total_tried:.1%}")


def _show_years(series: Sequence[Series], method: str) -> None:
    opened = [year(one, method).incidents for one in series]
    heading(f"{len(series)} clean daily series of {len(series[0].values)} days each, {method}")
    line("incidents a series, mean and most", f"{fmean(opened):.2f}", str(max(opened)))
    line("series without any", str(opened.count(0)))
    by_family: dict[str, list[int]] = {}
    for one, count in zip(series, opened, strict=True):
        by_family.setdefault(one.name.partition("/")[0], []).append(count)
    for family, counts in by_family.items():
        line(f"  {family}, mean and most", f"{fmean(counts):.2f}", str(max(counts)))


def _show_several(series: Sequence[Series], method: str) -> None:
    heading(f"{METRICS_AT_ONCE} metrics a run, {method}: runs with a false alarm in any, in 1,000 runs")
    groups = [series[start : start + METRICS_AT_ONCE] for start in range(0, len(series), METRICS_AT_ONCE)]
    groups = [group for group in groups if len(group) == METRICS_AT_ONCE]
    for name, share in (("each metric as if alone", 1.0), ("each with its share of the run's", 1 / METRICS_AT_ONCE)):
        counted = [false_runs([year(one, method, share) for one in group]) for group in groups]
        line(name, f"{1000 * sum(false for false, _ in counted) / sum(runs for _, runs in counted):.2f}")
