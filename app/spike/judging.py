"""What is the same for every method: which values count, whether there are enough of them, and walking a series."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from app.spike.averages import change_of, nearest_float
from app.spike.methods import DEFAULT_METHOD, METHODS
from app.spike.points import Point, Series, Standing, as_points, finite
from app.spike.verdict import Finding, Status, Verdict

_TAIL = 0.25
"""The power of its share by which a metric allows for more; decision 21 says why it is this one."""
LONGEST_PAST = 1000
"""How many points before it a number is judged by, at most."""


def judge(
    series: Series,
    method: str = DEFAULT_METHOD,
    parameters: Mapping[str, float] | None = None,
    *,
    share: float = 1.0,
) -> Verdict:
    """Judge the last of ``series``, the newest, by those before it, as they stand.

    None, NaN and the infinities are no numbers: in the past they are left out, as the newest they are ``bad_metric``.
    Points that a person took out are left out as well, and so is what lies more than 1,000 points back. ``share`` is
    the part of a run's permitted rate of false alarms that is for this metric, where several are judged: the smaller,
    the more it takes to be anomalous.

    Raises:
        ValueError: the method or a parameter is unknown, or a parameter is not a finite number from 0 up.
    """
    settings = _shared(method, checked_parameters(method, parameters), share)
    points = as_points(series[-LONGEST_PAST - 1 :])
    if not points:
        return _without_enough(method, 0, 0)
    return _judged(points[:-1], points[-1], method, settings, len(series))


def replay(
    series: Series,
    method: str = DEFAULT_METHOD,
    parameters: Mapping[str, float] | None = None,
    *,
    share: float = 1.0,
) -> list[Verdict]:
    """Judge every number of ``series`` as if it had just come, each by those before it.

    A standing that a point has already is a person's decision: it is kept for those after it, whatever the verdict.

    Raises:
        ValueError: as for ``judge``.
    """
    settings = _shared(method, checked_parameters(method, parameters), share)
    past: list[Point] = []
    verdicts = []
    for point in as_points(series):
        verdict = _judged(past[-LONGEST_PAST:], point, method, settings, len(past) + 1)
        verdicts.append(verdict)
        take_over(past, verdict)
        past.append(point if point.standing else replace(point, standing=verdict.standing))
    return verdicts


def take_over(past: list[Point], verdict: Verdict) -> list[int]:
    """Let the flagged points near the end of ``past`` count that ``verdict`` made a new level of; give their places.

    Points that judge nothing, because they are no numbers or a person took them out, may lie between.
    """
    usable = (place for place in reversed(range(len(past))) if _is_usable(past[place]))
    taken = sorted(islice(usable, verdict.takes_over))
    for place in taken:
        standing = Standing.LEVEL if place == taken[0] else Standing.COUNTED
        past[place] = replace(past[place], standing=standing)
    return taken


def no_metric(snapshots: int, method: str = DEFAULT_METHOD) -> Verdict:
    """Give the verdict on a run that reported no number, so that nothing old is judged in its place."""
    return Verdict(
        Status.NO_METRIC,
        "The run wrote no control metric.",
        standing=Standing.EXCLUDED,
        method=method,
        snapshots=snapshots,
    )


def checked_parameters(method: str, parameters: Mapping[str, float] | None = None) -> dict[str, float]:
    """Give every parameter of ``method``, with its default where ``parameters`` does not name it.

    Raises:
        ValueError: as for ``judge``.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method '{method}'. {_nearest(method, METHODS)}")
    settings = dict(METHODS[method].defaults)
    for name, value in (parameters or {}).items():
        if name not in settings:
            raise ValueError(f"Method '{method}' has no parameter '{name}'. {_nearest(name, settings)}")
        number = finite(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or number < 0:
            raise ValueError(f"Parameter '{name}' of method '{method}' must be a finite number from 0 up.")
        settings[name] = number
    return settings


def rule_version(method: str) -> int | None:
    """Give the version of the rule of ``method``, or None where there is no such method."""
    known = METHODS.get(method)
    return known.version if known else None


def _shared(method: str, settings: dict[str, float], share: float) -> dict[str, float]:
    """Add by how much the method must allow for more: errors grow rarer with the fourth power of their size."""
    return {**settings, "widening": share**-_TAIL} if METHODS[method].is_shared else settings


def _judged(past: list[Point], newest: Point, method: str, settings: Mapping[str, float], snapshots: int) -> Verdict:
    if newest.value is None:
        sentence = "The newest control metric is not a finite number."
        return Verdict(Status.BAD_METRIC, sentence, standing=Standing.EXCLUDED, method=method, snapshots=snapshots)
    usable = [
        point for point in past[-LONGEST_PAST:] if point.value is not None and point.standing is not Standing.EXCLUDED
    ]
    if len(usable) + 1 < METHODS[method].minimum_values:
        return _without_enough(method, snapshots, len(usable) + 1, newest.value)
    return _verdict(METHODS[method].find(usable, newest, settings), method, snapshots, usable, newest.value)


def _is_usable(point: Point) -> bool:
    return point.value is not None and point.standing is not Standing.EXCLUDED


def _verdict(finding: Finding, method: str, snapshots: int, usable: list[Point], current: float) -> Verdict:
    counted = [point for point in usable if point.is_counted]
    shown = usable if METHODS[method].counts_all or len(counted) < 2 else counted
    change = change_of([point.value or 0.0 for point in shown[-2:]], current)
    return Verdict(
        **vars(finding),
        method=method,
        snapshots=snapshots,
        average=nearest_float(change.average),
        current=current,
        difference=nearest_float(change.difference),
        gain_percent=change.gain_percent,
    )


def _without_enough(method: str, snapshots: int, usable: int, current: float | None = None) -> Verdict:
    minimum = METHODS[method].minimum_values
    left_out = f"; {snapshots - usable} more do not count" if snapshots > usable else ""
    sentence = f"Not enough snapshots to judge ({usable} of {minimum}{left_out})"
    return Verdict(Status.NOT_ENOUGH_DATA, sentence, method=method, snapshots=snapshots, current=current)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    matches = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean '{matches[0]}'?" if matches else f"There is: {', '.join(names)}."
