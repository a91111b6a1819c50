"""What decisions make of the standings of points: pure functions, from rows to standings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from app.models.metric import MetricDecision, MetricPoint
from app.spike import COUNTING, Standing


def trailing_flagged(points: Sequence[MetricPoint]) -> list[MetricPoint]:
    """Give the flagged points at the end of a series, those that were taken out passed over."""
    found: list[MetricPoint] = []
    for point in reversed(points):
        if point.standing in COUNTING:
            break
        if point.standing == Standing.FLAGGED:
            found.append(point)
    return found[::-1]


def taken_over(points: Sequence[MetricPoint]) -> list[MetricPoint]:
    """Give the points before the newest of a series that were flagged, and that its verdict made a new level of."""
    found: list[MetricPoint] = []
    for point in reversed(points[:-1]):
        if point.standing == Standing.EXCLUDED:
            continue
        if point.judged != Standing.FLAGGED or point.standing == Standing.FLAGGED:
            break
        found.append(point)
        if point.standing == Standing.LEVEL:
            return found[::-1]
    return []


def accepted(points: Iterable[MetricPoint]) -> dict[int, Standing]:
    """Give the standings that change when points are right, which come series by series and in order.

    What was flagged counts: the first of a stretch as the beginning of a new level, the others as part of it. What is
    no number cannot count.
    """
    changed: dict[int, Standing] = {}
    for _, series in groupby(points, key=lambda point: (point.clone, point.metric)):
        is_in_stretch = False
        for point in series:
            if point.value is None:
                continue
            is_in_level = point.standing not in COUNTING and point.judged != Standing.COUNTED
            if point.standing not in COUNTING:
                changed[point.id] = Standing.LEVEL if is_in_level and not is_in_stretch else Standing.COUNTED
            is_in_stretch = is_in_level
    return changed


def rejected(points: Iterable[MetricPoint]) -> dict[int, Standing]:
    """Give the standings that change when points are wrong: none of them counts."""
    return {point.id: Standing.EXCLUDED for point in points if point.standing != Standing.EXCLUDED}


def undone(decision: MetricDecision, about: Sequence[MetricDecision]) -> dict[int, Standing]:
    """Give the standings of a decision's points without it: as judged, and as the decisions in force then left them.

    ``about`` are the decisions about any of its points in their order, those that were undone included.
    """
    return {
        int(point): _without(decision, point, [other for other in about if point in other.standings])
        for point in decision.standings
    }


def _without(decision: MetricDecision, point: str, about: Sequence[MetricDecision]) -> Standing:
    standing = Standing(decision.standings[point][0])
    for number, other in enumerate(about):
        if all(_was_undone_before(earlier, other) for earlier in about[:number]):
            # Nobody had a say then, so this is what verdicts alone had made of it.
            standing = Standing(other.standings[point][0])
        if other.undone_at is None and other.id != decision.id:
            standing = Standing(other.standings[point][1])
    return standing


def _was_undone_before(earlier: MetricDecision, other: MetricDecision) -> bool:
    return earlier.undone_at is not None and earlier.undone_at <= other.decided_at


def changes_of(points: Iterable[MetricPoint], new: Mapping[int, Standing]) -> dict[str, list[str]]:
    """Give, for each point, the standing that it has and the one that it gets, as a decision stores them."""
    return {str(point.id): [point.standing, new.get(point.id, point.standing)] for point in points}
