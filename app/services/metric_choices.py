"""How a tool wants its metrics judged: the ``metrics`` of its entry, with what holds where that says nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.models.metric import CONTROL
from app.models.tool import OnSpike, Tool
from app.spike import DEFAULT_METHOD

INCIDENTS = "incidents"
"""The name in ``metrics`` that is no metric: it says when an incident opens."""
MEASURED = (
    "rows",
    "files",
    "bytes",
    "duration_seconds",
    "added_rows",
    "removed_rows",
    "changed_rows",
    "changed_cells",
)
"""What every run has without asking."""
_DECLARED_SHARE = 0.75
_LEAST_CHANGES: Mapping[str, float] = {
    "duration_seconds": 60.0,
    "files": 2.0,
    "bytes": 1000.0,
    **dict.fromkeys(("rows", "added_rows", "removed_rows", "changed_rows", "changed_cells"), 10.0),
}
"""Changes of what is measured without asking that are no anomaly: a run of three seconds may well take ten."""


@dataclass(frozen=True)
class Choice:
    """The method by which a metric is judged, and the parameters that were chosen for it; not checked yet."""

    method: str = DEFAULT_METHOD
    parameters: Mapping[str, Any] = field(default_factory=dict)


def choice_of(tool: Tool, metric: str) -> Choice | None:
    """Give how ``metric`` is judged; None where the tool does not want it judged."""
    chosen = tool.metrics.get(metric)
    if chosen is False:
        return None
    if chosen is None:
        least = _LEAST_CHANGES.get(metric)
        return Choice() if least is None else Choice(parameters={"minimum_change": least})
    if not isinstance(chosen, Mapping):
        return Choice(parameters={"metrics": chosen})
    return read_choice(chosen)


def read_choice(chosen: Mapping[str, Any]) -> Choice:
    """Read what an entry says of one metric.

    A percentage without a method is of ``rolling``: entries say so from when that was the only method.
    """
    parameters = {name: value for name, value in chosen.items() if name != "method"}
    default = "rolling" if "threshold_percent" in parameters else DEFAULT_METHOD
    return Choice(str(chosen.get("method", default)), parameters)


def is_declared(tool: Tool, metric: str) -> bool:
    """Tell whether the tool itself reports the metric, or its entry names it; others are measured without asking."""
    return metric not in MEASURED or metric in tool.metrics


def keeps_out(tool: Tool) -> bool:
    """Tell whether the tool's data are no data while they look wrong, until a person has decided."""
    return tool.on_spike in (OnSpike.QUARANTINE, OnSpike.FAIL)


def shares(tool: Tool, metrics: Collection[str]) -> dict[str, float]:
    """Give the part of a run's permitted false alarms that each of ``metrics`` has, which are judged together.

    All parts make 1, so that a run is falsely alarmed about no more often than one with a single metric. Declared
    metrics have three quarters of it among them, the others the rest; where there is only one kind it has all.
    """
    declared = {metric for metric in metrics if is_declared(tool, metric)}
    measured = set(metrics) - declared
    portion = 1.0 if not measured else _DECLARED_SHARE if declared else 0.0
    given = {metric: portion / len(declared) for metric in declared}
    return given | {metric: (1.0 - portion) / len(measured) for metric in measured}


def share_of(tool: Tool, metric: str, together: Collection[str]) -> float:
    """Give the part that ``metric`` has where a run reports those that are ``together``, and this one."""
    judged = {other for other in together if choice_of(tool, other)}
    return shares(tool, {*judged, metric})[metric]


def reported_together(newest: Mapping[str, tuple[datetime, str]]) -> set[str]:
    """Give the metrics that the newest run, or commit, reported: what was reported once takes no share for ever.

    ``newest`` has the time and the label of each metric's newest point. A control file has a label of its own.
    """
    others = {metric: place for metric, place in newest.items() if metric != CONTROL}
    _, last = max(others.values(), default=(None, ""))
    same = {metric for metric, (_, label) in others.items() if _origin(label) == _origin(last)}
    return same | (newest.keys() & {CONTROL})


def _origin(label: str) -> str:
    """Give the run or commit of a label; of a commit with several dates, each has a label of its own."""
    return label.partition(" ")[0]
