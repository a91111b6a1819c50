"""Which points a decision is about: those of runs, those with a label, or the newest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import Invalid, WrongState, nearest
from app.models.metric import DecisionKind, MetricPoint
from app.repositories.database import Session
from app.repositories.metric_decisions import MetricDecisionRepository
from app.services import standings
from app.services.deciding import MOST_POINTS


def chosen_points(session: Session, tool: str, values: Mapping[str, Any]) -> Sequence[MetricPoint]:
    """Give the points that a decision is about, series by series and in order."""
    decisions = MetricDecisionRepository(session)
    metric, first, last = values.get("metric"), values.get("since"), values.get("run_id")
    if metric is not None and metric not in (known := decisions.metrics(tool)):
        hint = nearest(metric, known) or ""
        raise Invalid(
            f"The tool '{tool}' has no metric '{metric[:80]}'.", fields={"metric": [f"No such metric. {hint}".strip()]}
        )
    if values.get("points"):
        return _labelled(decisions, tool, str(metric), values["points"])
    if first is None and last is None:
        if values["kind"] == DecisionKind.ACCEPT:
            series = decisions.newest_of_series(tool, metric, MOST_POINTS)
            return [point for points in series.values() for point in standings.trailing_flagged(points)]
        return _newest(decisions, tool, metric)
    points = decisions.of_runs(tool, metric, first or last or 0, last, MOST_POINTS + 1)
    if not points:
        name = "runId" if last is not None else "since"
        raise Invalid(f"There are no points of '{tool}' there.", fields={name: ["No run there has reported a number."]})
    return points


def _labelled(
    decisions: MetricDecisionRepository, tool: str, metric: str, labels: Sequence[str]
) -> Sequence[MetricPoint]:
    points = decisions.labelled(tool, metric, labels)
    missing = sorted(set(labels) - {point.label for point in points})
    if missing:
        raise Invalid(
            f"There is no point '{missing[0][:80]}' of the metric '{metric}' of '{tool}'.",
            hint=f"Look at the points with: maoctl metric get {tool}",
            fields={"points": [f"No such point: {label[:80]}" for label in missing[:10]]},
        )
    return points


def _newest(decisions: MetricDecisionRepository, tool: str, metric: str | None) -> Sequence[MetricPoint]:
    """Give the points of the newest run, and before each the stretch that its verdict has just made a level of.

    Else what was flagged and is wrong like the newest would go on to count. What a person decided about stays.
    """
    newest = decisions.newest_run(tool, metric)
    if newest is None:
        raise WrongState(
            f"No run has reported a number of '{tool}' yet.",
            hint=f"Name imported points: maoctl tool reject {tool} --metric METRIC --point LABEL --why TEXT",
        )
    found: list[MetricPoint] = []
    for series in decisions.newest_of_series(tool, metric, MOST_POINTS).values():
        if series[-1].run_id == newest:
            stretch = standings.taken_over(series)
            is_decided = any(one.undone_at is None for one in decisions.about(tool, [point.id for point in stretch]))
            found += [*([] if is_decided else stretch), series[-1]]
    # A run with a point that is no series' newest: a control file with an older name.
    known = {point.id for point in found}
    return [
        *found,
        *(one for one in decisions.of_runs(tool, metric, newest, newest, MOST_POINTS) if one.id not in known),
    ]
