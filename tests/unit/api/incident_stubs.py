"""Stubs of the services of incidents and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import NotFound
from app.models.metric import Incident, MetricDecision, MetricPoint
from app.models.token import Identity
from app.services.metric_decisions import DecidedPoint, DecisionView

from .samples import NOON, Recorder


def an_incident(number: int = 12, **changes: Any) -> Incident:
    known: dict[str, Any] = {
        "id": number,
        "tool": "spike",
        "kind": "data",
        "status": "drop",
        "metrics": {"some_rows": "drop"},
        "summary": "some_rows: 412 where 890 to 930 was expected.",
        "runs": 1,
        "opened_at": NOON,
        "opened_by_run": 7,
    }
    return Incident(**{**known, **changes})


def a_decision(number: int = 3, **changes: Any) -> DecisionView:
    known = {"id": number, "tool": "spike", "kind": "accept", "metric": None, "actor": "root", "why": "right"}
    point = MetricPoint(
        id=9, clone="data", metric="control", label="control-1.csv", run_id=7, value=412.0, standing="level"
    )
    return DecisionView(
        MetricDecision(**{**known, "decided_at": NOON, **changes}), [DecidedPoint(point, "flagged", "level")]
    )


class Incidents(Recorder):
    def list(self, *, after: int | None = None, limit: int = 100, **filters: Any) -> list[Incident]:
        self.note("list", after=after, limit=limit, **filters)
        return [an_incident(number) for number in (12, 11) if after is None or number < after][:limit]


class Decisions(Recorder):
    def list_of(self, tool: str, *, after: int | None = None, limit: int = 100) -> list[DecisionView]:
        if tool != "spike":
            raise NotFound(f"There is no tool '{tool}'.", hint="Did you mean 'spike'?")
        return [a_decision(number) for number in (3, 2) if after is None or number < after][:limit]

    def decide(self, identity: Identity, tool: str, values: Mapping[str, Any]) -> DecisionView:
        self.note("decide", identity, tool, values)
        return a_decision()

    def undo(self, identity: Identity, tool: str, decision_id: int, why: str) -> DecisionView:
        self.note("undo", identity, tool, decision_id, why)
        return a_decision(undone_by="root", undone_why=why, undone_at=NOON)
