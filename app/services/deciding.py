"""The parts of a decision that happen in a transaction: points stand otherwise, an open incident is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from app.models.metric import DecisionKind, IncidentEnd, IncidentKind, MetricDecision, MetricPoint
from app.models.run import Run
from app.repositories.database import Session
from app.repositories.incidents import IncidentRepository
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.metrics import MetricRepository
from app.services import standings
from app.services.incident_sentences import accepted as accepted_sentence
from app.services.incidents import end_incident
from app.spike import Standing

MOST_POINTS = 1000
"""How many points one decision is about at most, and how far back a stretch is followed in a series."""
PROMOTED = "promoted"
DISCARDED = "discarded"


def accept_run(session: Session, run: Run, actor: str, at: datetime) -> None:
    """Find right what a run reported, because its files were made data; in the caller's transaction."""
    _decide_run(session, run, MetricDecision(kind=DecisionKind.ACCEPT.value, actor=actor, why=PROMOTED, decided_at=at))


def reject_run(session: Session, run: Run, actor: str, at: datetime) -> None:
    """Find wrong what a run reported, because its files were thrown away; in the caller's transaction."""
    _decide_run(session, run, MetricDecision(kind=DecisionKind.REJECT.value, actor=actor, why=DISCARDED, decided_at=at))


def _decide_run(session: Session, run: Run, decision: MetricDecision) -> None:
    IncidentRepository(session).hold(run.tool)
    points = MetricDecisionRepository(session).of_runs(run.tool, None, run.id, run.id, MOST_POINTS)
    if points:
        decision.tool = run.tool
        store_decision(session, decision, points, standings_by(decision, points))
        if decision.kind == DecisionKind.ACCEPT:
            close_accepted(session, decision, {point.run_id for point in points}, is_newest=False)


def standings_by(decision: MetricDecision, points: Sequence[MetricPoint]) -> dict[int, Standing]:
    """Give the standings that change by a decision about points."""
    decide = standings.accepted if decision.kind == DecisionKind.ACCEPT else standings.rejected
    return decide(points)


def store_decision(
    session: Session, decision: MetricDecision, points: Sequence[MetricPoint], new: Mapping[int, Standing]
) -> None:
    """Store a decision about points and let those stand as it says whose standing is ``new``."""
    decision.points = [point.id for point in points]
    decision.standings = standings.changes_of(points, new)
    MetricDecisionRepository(session).add(decision)
    let_stand(session, new)


def let_stand(session: Session, new: Mapping[int, Standing]) -> None:
    """Let points stand as given, by their numbers, for those that are judged after it."""
    for standing in set(new.values()):
        ids = [number for number, given in new.items() if given == standing]
        MetricRepository(session).set_standing(ids, standing.value)


def close_accepted(
    session: Session, decision: MetricDecision, runs: Collection[int | None], *, is_newest: bool
) -> bool:
    """Close the tool's incident where its newest numbers were accepted; with some of its metrics it goes on.

    Tell whether anything changed.
    """
    incident = IncidentRepository(session).find_open(decision.tool, IncidentKind.DATA)
    if incident is None or not (is_newest or incident.last_run in runs):
        return False
    left = {name: word for name, word in incident.metrics.items() if decision.metric not in (None, name)}
    if left == incident.metrics:
        return False
    if left:
        incident.metrics = left
        session.flush()
    else:
        sentence = accepted_sentence(incident, decision.actor, decision.why)
        end_incident(session, incident, IncidentEnd.ACCEPTED, sentence, decision.decided_at)
    return True
