"""Incidents of data: one message when a tool's numbers begin to look wrong, one when that is over.

Everything here happens in transactions of others (that of a run's last change, that of a decision), so an incident,
the row that caused it and its message are written together or not at all. The tool is held meanwhile: two runs that end
at once, or a run and a decision, come one after the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.models.metric import Incident, IncidentEnd, IncidentKind
from app.models.run import Run
from app.models.ulid import ulid
from app.repositories.database import Session
from app.repositories.incidents import IncidentRepository
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.notifications import NotificationRepository
from app.repositories.silence import SilenceRepository
from app.services.incident_sentences import (
    anomalies,
    new_level,
    new_levels,
    opening,
    recovered,
    status_of,
    told_values,
    unjudged,
    verdicts_of,
)
from app.services.incident_windows import LookBack, look_back
from app.services.metric_choices import choice_of
from app.services.requests import tool_of
from app.spike import Standing, Status

SPIKE = "spike"
SILENCE = "silence"
RECOVERED = "recovered"
MOST_JOBS = 20
"""How many of a silent tool's jobs a message names."""


def hold(session: Session, tool: str) -> None:
    """Keep everybody else from changing a tool's points, decisions and incidents until the transaction ends.

    To be called before the first of them is changed, lest two transactions wait for each other.
    """
    IncidentRepository(session).hold(tool)


def note_run(session: Session, run: Run, verdict: Mapping[str, Any], at: datetime) -> None:
    """Let a run that was judged open, continue or close its tool's incident; ``verdict`` is that of the run's record.

    To be called in the transaction that makes the run final, after its points are stored. A run that was noted already
    changes nothing. A metric that the runs before reported and this one does not counts as an anomaly here.
    """
    incidents = IncidentRepository(session)
    incidents.hold(run.tool)
    newest = incidents.newest(run.tool, IncidentKind.DATA)
    if newest is not None and run.id in (newest.opened_by_run, newest.last_run, newest.closed_by_run):
        return
    before = look_back(session, run, verdict, newest, at)
    found = {**anomalies(verdict), **before.lost}
    if newest is None or newest.closed_at is not None:
        if found and before.is_due(at):
            _open(session, run, found, before, at)
    elif found:
        _go_on(session, newest, run, found)
    else:
        _close_if_over(session, newest, run, verdict, at)


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
            run = session.get(Run, incident.opened_by_run) if incident.opened_by_run is not None else None
            jobs = [job.id for job in SilenceRepository(session).active_jobs(at, tool)][:MOST_JOBS]
            values: Mapping[str, Any] = {"status": incident.status, "lastRun": incident.last_run, "jobs": jobs}
            if kind is IncidentKind.DATA:
                values = told_values(incident, (run.spike if run else None) or {})
            tell_opening(session, incident, values, at)


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
    before = incident.status
    _note_metrics(incident, found)
    if incident.status != before:
        # What it says goes with its status, which is the worst.
        incident.summary = opening(found)
    session.flush()


def _note_metrics(incident: Incident, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Add what was found to the metrics of an incident, each with the worst that was ever found of it."""
    seen = {name: [status_of({"status": word})] for name, word in incident.metrics.items()}
    for name, verdict in found.items():
        seen.setdefault(name, []).append(status_of(verdict))
    worst = {name: max(statuses, key=lambda status: status.severity) for name, statuses in seen.items()}
    incident.metrics = {name: status.value for name, status in worst.items()}
    incident.status = max(worst.values(), key=lambda status: status.severity).value


def _open(session: Session, run: Run, found: Mapping[str, Mapping[str, Any]], before: LookBack, at: datetime) -> None:
    runs = [run.id, *(other.id for other in before.anomalous)]
    incident = Incident(
        tool=run.tool,
        kind=IncidentKind.DATA.value,
        summary=opening(found, many=len(runs), window=before.options.of),
        runs=len(runs),
        opened_at=at,
        first_run=runs[-1],
        opened_by_run=run.id,
        last_run=run.id,
        metrics={},
    )
    _note_metrics(incident, found)
    opened = IncidentRepository(session).open(incident)
    if opened is not None:
        tell_opening(session, opened, told_values(opened, run.spike or {}), at)


def _close_if_over(session: Session, incident: Incident, run: Run, verdict: Mapping[str, Any], at: datetime) -> None:
    """Close an incident where every metric of it that is still judged was reported, judged, and found as expected.

    A run that does not report one of them says nothing about it, and a run in another clone nothing about this one.
    """
    tool = tool_of(run)
    judged = [name for name in incident.metrics if choice_of(tool, name) is not None]
    last = session.get(Run, incident.last_run) if incident.last_run is not None else None
    verdicts = verdicts_of(verdict)
    if (last is not None and last.clone != run.clone) or not all(
        name in verdicts and status_of(verdicts[name]) is Status.OK for name in judged
    ):
        return
    first = incident.first_run or run.id
    points = IncidentRepository(session).points_between(run.tool, first, run.id, Standing.LEVEL.value)
    # A level that begins with this run's own number is the one before, which the series is back at.
    moved = [point for point in points if point.metric in judged and point.run_id != run.id]
    steps = new_levels(moved, verdicts)
    because, sentence = IncidentEnd.RECOVERED, recovered(incident)
    if steps:
        because, sentence = IncidentEnd.NEW_LEVEL, new_level(incident, steps)
    elif not judged:
        because, sentence = IncidentEnd.UNJUDGED, unjudged(incident)
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
