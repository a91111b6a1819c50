"""Incidents of data: one message when a tool's numbers begin to look wrong, one when that is over.

Everything here happens in transactions of others (that of a run's last change, that of a decision), so an incident,
the row that caused it and its message are written together or not at all. The tool is held meanwhile: two runs that end
at once, or a run and a decision, come one after the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from app.models.metric import Incident, IncidentEnd, IncidentKind
from app.models.run import Run
from app.models.ulid import ulid
from app.repositories.database import Session
from app.repositories.incidents import IncidentRepository, JudgedRun
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.notifications import NotificationRepository
from app.services.incident_options import IncidentOptions, incident_options
from app.services.incident_sentences import anomalies, new_level, opening, recovered, status_of, verdicts_of
from app.spike import Standing, Status

SPIKE = "spike"
SILENCE = "silence"
RECOVERED = "recovered"
_LONGEST_STRETCH = 1500


def hold(session: Session, tool: str) -> None:
    """Keep everybody else from changing a tool's points, decisions and incidents until the transaction ends.

    To be called before the first of them is changed, lest two transactions wait for each other.
    """
    IncidentRepository(session).hold(tool)


def note_run(session: Session, run: Run, verdict: Mapping[str, Any], at: datetime) -> None:
    """Let a run that was judged open, continue or close its tool's incident; ``verdict`` is that of the run's record.

    To be called in the transaction that makes the run final, after its points are stored. A run that was noted already
    changes nothing, and neither does one of which no metric was judged.
    """
    incidents = IncidentRepository(session)
    incidents.hold(run.tool)
    newest = incidents.newest(run.tool, IncidentKind.DATA)
    if newest is not None and run.id in (newest.opened_by_run, newest.last_run, newest.closed_by_run):
        return
    found = anomalies(verdict)
    is_open = newest is not None and newest.closed_at is None
    if found and newest is not None and is_open:
        _go_on(session, newest, run, found)
    elif found:
        _open_if_due(session, newest, run, verdict, at)
    elif newest is not None and is_open and _has_recovered(newest, verdict):
        _close(session, newest, run, at)


def tell_opening(session: Session, incident: Incident, values: Mapping[str, Any], at: datetime) -> None:
    """Tell that an incident has opened, unless its tool is muted; see ``tell_unmuted``."""
    if MetricDecisionRepository(session).muted_until(incident.tool, at) is None:
        kind = SILENCE if incident.kind == IncidentKind.SILENCE else SPIKE
        _tell(session, kind, incident, incident.summary, values, at, incident.opened_by_run)
        incident.told_at = at
        session.flush()


def tell_unmuted(session: Session, tool: str, at: datetime) -> None:
    """Tell of a tool's open incidents that nobody was told of, where the mute is over meanwhile."""
    incidents = IncidentRepository(session)
    incidents.hold(tool)
    for kind in IncidentKind:
        incident = incidents.find_open(tool, kind)
        if incident is not None and incident.told_at is None:
            tell_opening(session, incident, {"status": incident.status, "metrics": incident.metrics}, at)


def end_incident(
    session: Session,
    incident: Incident,
    because: IncidentEnd,
    sentence: str,
    at: datetime,
    run_id: int | None = None,
) -> None:
    """Close an incident, and tell so where its opening was told."""
    IncidentRepository(session).close(incident, because, at, run_id)
    if incident.told_at is not None:
        values: dict[str, Any] = {
            "because": because.value,
            "kind": incident.kind,
            "status": incident.status,
            "runs": incident.runs,
        }
        values |= {"openedAt": incident.opened_at.isoformat(), "openedByRun": incident.opened_by_run, "run": run_id}
        # One run may end an incident of each kind, and a run has one message of a kind.
        told_of = run_id if incident.kind == IncidentKind.DATA else None
        _tell(session, RECOVERED, incident, sentence, values, at, told_of)


def _go_on(session: Session, incident: Incident, run: Run, found: Mapping[str, Mapping[str, Any]]) -> None:
    incident.runs += 1
    incident.last_run = run.id
    _note_metrics(incident, found)
    session.flush()


def _note_metrics(incident: Incident, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Add what was found to the metrics of an incident, each with the worst that was ever found of it."""
    seen = {name: [status_of({"status": word})] for name, word in incident.metrics.items()}
    for name, verdict in found.items():
        seen.setdefault(name, []).append(status_of(verdict))
    worst = {name: max(statuses, key=lambda status: status.severity) for name, statuses in seen.items()}
    incident.metrics = {name: status.value for name, status in worst.items()}
    incident.status = max(worst.values(), key=lambda status: status.severity).value


def _open_if_due(session: Session, last: Incident | None, run: Run, verdict: Mapping[str, Any], at: datetime) -> None:
    found = anomalies(verdict)
    options = incident_options((run.tool_entry or {}).get("metrics") or {})
    earlier = _earlier(session, last, run, options)
    anomalous = [other for other in earlier[: options.of - 1] if _is_anomaly(other)]
    if len(anomalous) + 1 < options.points or at - _since(earlier, options, at) < timedelta(minutes=options.minutes):
        return
    incident = Incident(
        tool=run.tool,
        kind=IncidentKind.DATA.value,
        summary=opening(found, many=len(anomalous) + 1, window=options.of),
        runs=len(anomalous) + 1,
        opened_at=at,
        first_run=anomalous[-1].id if anomalous else run.id,
        opened_by_run=run.id,
        last_run=run.id,
        metrics={},
    )
    _note_metrics(incident, found)
    opened = IncidentRepository(session).open(incident)
    if opened is not None:
        tell_opening(session, opened, verdict, at)


def _earlier(session: Session, last: Incident | None, run: Run, options: IncidentOptions) -> Sequence[JudgedRun]:
    """Give the judged runs before a run, newest first, back to the end of the tool's last incident.

    Those of an incident that is over have been told of, and do not count towards another one.
    """
    wanted = _LONGEST_STRETCH if options.minutes else options.of - 1
    if not wanted:
        return []
    earlier = IncidentRepository(session).judged_before(run, wanted)
    over = last.closed_at if last else None
    return [other for other in earlier if over is None or other.ended_at > over]


def _since(earlier: Sequence[JudgedRun], options: IncidentOptions, at: datetime) -> datetime:
    """Give the end of the first anomalous run of the window, or of the unbroken stretch that reaches further back."""
    since = at
    is_unbroken = True
    for number, other in enumerate(earlier, start=1):
        is_unbroken = is_unbroken and _is_anomaly(other)
        if _is_anomaly(other) and (is_unbroken or number < options.of):
            since = other.ended_at
    return since


def _is_anomaly(run: JudgedRun) -> bool:
    return status_of({"status": run.status}).is_anomaly


def _has_recovered(incident: Incident, verdict: Mapping[str, Any]) -> bool:
    """Tell whether all of an incident's metrics that a run has were judged, and something was.

    A run that wrote no control metric says nothing about the one that looked wrong.
    """
    statuses = {name: status_of(one) for name, one in verdicts_of(verdict).items()}
    concerned = [status for name, status in statuses.items() if name in incident.metrics]
    return all(status is Status.OK for status in concerned) and Status.OK in statuses.values()


def _close(session: Session, incident: Incident, run: Run, at: datetime) -> None:
    levels = IncidentRepository(session).points_between(
        run.tool, incident.first_run or run.id, run.id, Standing.LEVEL.value
    )
    moved = [point for point in levels if point.metric in incident.metrics and point.value is not None]
    because, sentence = IncidentEnd.RECOVERED, recovered(incident)
    if moved:
        because, sentence = IncidentEnd.NEW_LEVEL, new_level(incident, moved)
    end_incident(session, incident, because, sentence, at, run.id)


def _tell(
    session: Session,
    kind: str,
    incident: Incident,
    sentence: str,
    values: Mapping[str, Any],
    at: datetime,
    run_id: int | None,
) -> None:
    is_there = run_id is not None and session.get(Run, run_id) is not None
    NotificationRepository(session).add(
        ulid=ulid(at, secrets.token_bytes(10)),
        kind=kind,
        tool=incident.tool,
        run_id=run_id if is_there else None,
        incident_id=incident.id,
        summary=sentence,
        values=dict(values),
    )
