"""What people are told of incidents: one sentence when one opens, one when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.models.metric import CONTROL, Incident, MetricPoint
from app.spike import Status

LEVEL_BEFORE = "the level before"
"""How the ``basis`` of a verdict begins that finds a series back at the level which it had before the newest."""


@dataclass(frozen=True)
class Step:
    """A level that changed: from what was expected before it, where that is known."""

    metric: str
    before: float | None
    after: float | None


def anomalies(verdict: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Give the verdicts of a run that are anomalies, by metric, the worst first.

    The verdict of a version that judged one metric only is that of the control metric.
    """
    found = {name: one for name, one in verdicts_of(verdict).items() if status_of(one).is_anomaly}
    worst = verdict.get("metric")
    return dict(sorted(found.items(), key=lambda item: (-status_of(item[1]).severity, item[0] != worst, item[0])))


def verdicts_of(verdict: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Give every verdict of a run by its metric."""
    return verdict.get("metrics") or {str(verdict.get("metric") or CONTROL): verdict}


def status_of(verdict: Mapping[str, Any]) -> Status:
    """Give what was found; a word of a later version is no anomaly."""
    word = str(verdict.get("status"))
    return Status(word) if word in set(Status) else Status.NO_METRIC


def opening(found: Mapping[str, Mapping[str, Any]], *, many: int = 1, window: int = 1) -> str:
    """Say what is anomalous: the worst metric with its sentence, and which others; ``found`` has the worst first."""
    (worst, verdict), *others = found.items()
    sentence = f"{worst}: {str(verdict.get('sentence') or verdict.get('status')).rstrip('.')}"
    if others:
        sentence += f"; anomalous too: {_listed(name for name, _ in others)}"
    return sentence + (f" ({many} of the last {window} runs)." if window > 1 else ".")


def told_values(incident: Incident, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the message of an opening has beside its sentence: the worst metric's verdict, and those of all."""
    worst = _worst_first(incident)[0]
    verdicts = verdicts_of(verdict) if verdict else {}
    told = {"sentence": incident.summary, **verdicts.get(worst, {}), "status": incident.status, "metric": worst}
    return {**told, "metrics": dict(verdicts)}


def recovered(incident: Incident) -> str:
    """Say that the numbers are as expected again."""
    return f"{_listed(_worst_first(incident))} as expected again, after {_runs(incident)}."


def new_level(incident: Incident, steps: Iterable[Step]) -> str:
    """Say from what to what the level of metrics has changed."""
    return f"New level after {_runs(incident)}: {', '.join(_shown(step) for step in steps)}."


def new_levels(points: Sequence[MetricPoint], verdicts: Mapping[str, Mapping[str, Any]]) -> list[Step]:
    """Give what the levels that began during an incident amount to, where ``verdicts`` are those of the run after it.

    A metric that is back at the level before the incident, or nearer to that than to the new one, has none.
    """
    levels: dict[str, list[MetricPoint]] = {}
    for point in points:
        if point.value is not None:
            levels.setdefault(point.metric, []).append(point)
    steps = [Step(name, _number(found[0].verdict.get("expected")), found[-1].value) for name, found in levels.items()]
    return [step for step in steps if not _is_back(step, verdicts.get(step.metric) or {})]


def _is_back(step: Step, verdict: Mapping[str, Any]) -> bool:
    current = _number(verdict.get("current"))
    if str(verdict.get("basis") or "").startswith(LEVEL_BEFORE):
        return True
    if current is None or step.before is None or step.after is None:
        return False
    return abs(current - step.before) < abs(current - step.after)


def unjudged(incident: Incident) -> str:
    """Say that the tool does not want the metrics of an incident judged any more."""
    return f"Not judged any more, by the tool's entry: {_listed(_worst_first(incident))}."


def accepted(incident: Incident, actor: str, why: str) -> str:
    """Say who found the numbers right, and why."""
    return f"Accepted by {actor} after {_runs(incident)} ({_listed(_worst_first(incident))}): {why}"


def _shown(step: Step) -> str:
    before = "" if step.before is None else f"from {step.before:.6g} "
    return f"{step.metric} {before}to {step.after:.6g}"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _worst_first(incident: Incident) -> list[str]:
    severity = {name: status_of({"status": word}).severity for name, word in incident.metrics.items()}
    return sorted(severity, key=lambda name: (-severity[name], name))


def _runs(incident: Incident) -> str:
    return f"{incident.runs} anomalous run{'s' * (incident.runs != 1)}"


def _listed(names: Iterable[str]) -> str:
    *first, last = list(names) or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
