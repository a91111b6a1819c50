"""What people are told of incidents: one sentence when one opens, one when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.models.metric import CONTROL, Incident, MetricPoint
from app.spike import Status


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


def recovered(incident: Incident) -> str:
    """Say that the numbers are as expected again."""
    return f"{_listed(_worst_first(incident))} as expected again, after {_runs(incident)}."


def new_level(incident: Incident, points: Iterable[MetricPoint]) -> str:
    """Say from what to what the level of metrics has changed."""
    return f"New level after {_runs(incident)}: {', '.join(_step(point) for point in points)}."


def accepted(incident: Incident, actor: str, why: str) -> str:
    """Say who found the numbers right, and why."""
    return f"Accepted by {actor} after {_runs(incident)} ({_listed(_worst_first(incident))}): {why}"


def _step(point: MetricPoint) -> str:
    expected = point.verdict.get("expected")
    before = f"from {expected:.6g} " if isinstance(expected, int | float) else ""
    return f"{point.metric} {before}to {point.value:.6g}"


def _worst_first(incident: Incident) -> list[str]:
    severity = {name: status_of({"status": word}).severity for name, word in incident.metrics.items()}
    return sorted(severity, key=lambda name: (-severity[name], name))


def _runs(incident: Incident) -> str:
    return f"{incident.runs} anomalous run{'s' * (incident.runs != 1)}"


def _listed(names: Iterable[str]) -> str:
    *first, last = list(names) or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
