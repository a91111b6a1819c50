"""Decisions about metrics: these points are right, these are wrong, or nobody is to be told for a while.

A decision outranks a verdict: it changes the standing of points, and with it what later ones are judged by. It is
stored with who made it and why, and can be undone, which takes nothing away either. The tool is held meanwhile, so that
of two decisions at once, or of one and a run's end, each sees what the other has left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.clock import utc_now
from app.errors import Invalid, WrongState
from app.models.metric import DecisionKind, MetricDecision, MetricPoint
from app.models.token import Identity
from app.repositories.database import Database, Session
from app.repositories.incidents import IncidentRepository
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.registry import Registry
from app.services import standings
from app.services.decided_points import chosen_points
from app.services.deciding import MOST_POINTS, close_accepted, let_stand, standings_by, store_decision

LONGEST_MUTE = timedelta(days=366)
_NOT_OF_MUTES = {"metric": "metric", "run_id": "runId", "since": "since", "points": "points"}
"""What a mute cannot have, and what that is called outside."""


@dataclass(frozen=True)
class DecidedPoint:
    """A point that was decided about, with its standing before, after, and now."""

    point: MetricPoint
    before: str
    after: str


@dataclass(frozen=True)
class DecisionView:
    """A decision with the points that stand otherwise by it."""

    decision: MetricDecision
    points: list[DecidedPoint]


class MetricDecisionService:
    """One public method a use case. A tool that was removed from the registry can be decided about by its points."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def list_of(self, tool: str, *, after: int | None = None, limit: int = 100) -> Sequence[DecisionView]:
        """Give the decisions about a tool, newest first, beginning behind ``after``.

        Raises:
            NotFound: the registry has no such tool, and nothing was ever measured of one.
        """
        self._check_known(tool)
        with self._database.transaction() as session:
            return _views(session, MetricDecisionRepository(session).list(tool, before=after, limit=limit))

    def decide(self, identity: Identity, tool: str, values: Mapping[str, Any]) -> DecisionView:
        """Store a decision and do what it says, both or neither.

        ``values`` has ``kind`` and ``why`` and, as far as they are given, ``metric``, ``run_id``, ``since``, ``points``
        (their labels) and ``until``.

        Raises:
            NotFound: as for ``list_of``.
            Invalid: the values do not go together, or name a metric or a run without points.
            WrongState: nothing would change.
        """
        now = utc_now()
        _check(values, now)
        self._check_known(tool)
        with self._database.transaction() as session:
            IncidentRepository(session).hold(tool)
            decision = MetricDecision(
                tool=tool,
                metric=values.get("metric"),
                kind=values["kind"],
                until=values.get("until"),
                actor=identity.identifier,
                why=values["why"],
                decided_at=now,
            )
            if values["kind"] == DecisionKind.MUTE:
                MetricDecisionRepository(session).add(decision)
            else:
                _decide_points(session, decision, chosen_points(session, tool, values), values)
            return _views(session, [decision])[0]

    def undo(self, identity: Identity, tool: str, decision_id: int, why: str) -> DecisionView:
        """Take a decision back: its points stand as verdicts and the decisions that are left make them stand.

        An incident that it closed stays closed.

        Raises:
            NotFound: there is no such decision about the tool.
            WrongState: it was undone already.
        """
        with self._database.transaction() as session:
            IncidentRepository(session).hold(tool)
            decisions = MetricDecisionRepository(session)
            decision = decisions.get(tool, decision_id)
            restored = standings.undone(decision, decisions.about(tool, decision.points))
            if not decisions.undo(decision_id, identity.identifier, why, utc_now()):
                raise WrongState(f"Decision {decision_id} was undone already, by {decision.undone_by}.")
            let_stand(session, restored)
            session.expire_all()
            moved = {str(number) for number, now in restored.items() if now != decision.standings[str(number)][1]}
            return _views(session, [decision], moved)[0]

    def _check_known(self, tool: str) -> None:
        with self._database.transaction() as session:
            is_measured = bool(MetricDecisionRepository(session).metrics(tool))
        if not is_measured:
            self._registry.get_tool(tool)


def _check(values: Mapping[str, Any], now: datetime) -> None:
    """Refuse values that do not go together."""
    is_mute, until = values["kind"] == DecisionKind.MUTE, values.get("until")
    broken: dict[str, list[str]] = {}
    if is_mute and until is None:
        broken["until"] = ["Say until when nobody is to be told."]
    elif until is not None and not is_mute:
        broken["until"] = ["Goes with a mute only."]
    elif until is not None and not now < until <= now + LONGEST_MUTE:
        broken["until"] = ["Must be in the future, at most 366 days from now."]
    if is_mute:
        given = [field for name, field in _NOT_OF_MUTES.items() if values.get(name) is not None]
        broken |= {field: ["A mute is for the whole tool."] for field in given}
    elif len([name for name in ("run_id", "since", "points") if values.get(name)]) > 1:
        broken["since"] = ["Give 'runId', 'since' or 'points'."]
    elif values.get("points") and values.get("metric") is None:
        broken["metric"] = ["Say of which metric the points are."]
    if not str(values["why"]).strip():
        broken["why"] = ["Say why, for those who read it later."]
    if broken:
        raise Invalid("The decision breaks a rule.", fields=broken)


def _decide_points(
    session: Session, decision: MetricDecision, points: Sequence[MetricPoint], values: Mapping[str, Any]
) -> None:
    if len(points) > MOST_POINTS:
        raise Invalid(
            f"That is about more than {MOST_POINTS} points.",
            fields={"since": [f"Must leave at most {MOST_POINTS} points; one metric has fewer."]},
        )
    is_newest = not any(values.get(name) for name in ("run_id", "since", "points"))
    new = standings_by(decision, points)
    # Before the decision is stored, so that one which is refused takes no number.
    is_closed = decision.kind == DecisionKind.ACCEPT and close_accepted(
        session, decision, {point.run_id for point in points} - {None}, is_newest=is_newest
    )
    if not new and not is_closed:
        verb = "flagged" if decision.kind == DecisionKind.ACCEPT else "counted"
        raise WrongState(
            f"Nothing would change: none of those points of '{decision.tool}' is {verb}.",
            hint=f"Look at the points with: maoctl metric get {decision.tool}",
        )
    store_decision(session, decision, points, new)


def _views(session: Session, found: Sequence[MetricDecision], moved: Collection[str] = ()) -> list[DecisionView]:
    """Give decisions with the points that stand otherwise by them, or whose number is among those that ``moved``."""
    shown = {
        decision.id: [
            number
            for number in decision.points
            if len(set(decision.standings[str(number)])) > 1 or str(number) in moved
        ]
        for decision in found
    }
    ids = {number for numbers in shown.values() for number in numbers}
    points = {point.id: point for point in MetricDecisionRepository(session).points(ids)} if ids else {}
    return [
        DecisionView(
            decision,
            [
                DecidedPoint(points[number], *decision.standings[str(number)])
                for number in shown[decision.id]
                if number in points
            ],
        )
        for decision in found
    ]
