"""Incidents of data: when they open, what they tell, and when they are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.models.metric import Incident
from app.models.notification import Notification
from app.models.run import Run
from app.repositories.database import Database
from app.repositories.incidents import IncidentRepository
from app.repositories.metrics import MetricRepository, NewPoint, SeriesName
from app.services.incidents import note_run
from tests.integration.core.conftest import add_run

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
OK = {"status": "ok", "sentence": "900 where 890 to 930 was expected."}
DROP = {"status": "drop", "sentence": "412 where 890 to 930 was expected.", "expected": 910.0}
SPIKE = {"status": "spike", "sentence": "9000 where 890 to 930 was expected."}
NO_METRIC = {"status": "no_metric", "sentence": "The run wrote no control metric."}


class History:
    """The runs of one tool, an hour apart, as the last transaction of each notes them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.entry: dict[str, Any] = {"name": "spike", "metrics": {}}
        self.now = START

    def run(self, verdict: dict[str, Any] | None, *, is_repeated: bool = False, standing: str = "") -> Run:
        """Let a run end an hour after the one before."""
        self.now += timedelta(hours=1)
        run = add_run(self.database)
        with self.database.transaction() as session:
            row = session.get_one(Run, run.id)
            row.tool_entry, row.spike, row.ended_at, row.defined_at = self.entry, verdict, self.now, self.now
        if standing and verdict:
            self.add_point(run.id, verdict, standing)
        for _ in range(1 + is_repeated):
            self.note(run.id, verdict)
        return run

    def note(self, run_id: int, verdict: dict[str, Any] | None) -> None:
        """Do what the run's last transaction does."""
        with self.database.transaction() as session:
            if verdict is not None:
                note_run(session, session.get_one(Run, run_id), verdict, self.now)

    def add_point(self, run_id: int, verdict: dict[str, Any], standing: str) -> None:
        """Store the run's control metric."""
        point = NewPoint(
            label=f"control-{run_id:06}.csv",
            sort_key=f"{run_id:06}",
            measured_at=self.now,
            value=900.0 if verdict is OK else 412.0,
            reported="",
            judged=standing,
            standing=standing,
            status=verdict["status"],
            verdict=verdict,
            source="run",
            run_id=run_id,
        )
        with self.database.transaction() as session:
            MetricRepository(session).add(SeriesName("data", "spike", "control"), [point])

    def incidents(self) -> list[Incident]:
        """Give all incidents, the newest first."""
        with self.database.transaction() as session:
            return list(IncidentRepository(session).list())

    def told(self) -> list[tuple[str, str]]:
        """Give kind and sentence of every message, in their order."""
        with self.database.transaction() as session:
            rows = session.scalars(select(Notification).order_by(Notification.ulid))
            return [(row.kind, row.summary) for row in rows]


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


def worst(verdict: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    return {**verdict, "metric": "control", "metrics": {"control": verdict, **others}}


def test_an_incident_of_four_runs_is_told_twice(history: History) -> None:
    history.run(OK)
    first = history.run(worst(DROP, rows=SPIKE, bytes=OK))
    for verdict in (worst(DROP), worst(SPIKE), worst(DROP)):
        history.run(verdict)
    last = history.run(worst(OK, rows=OK))
    history.run(worst(OK))
    [incident] = history.incidents()
    assert (incident.opened_by_run, incident.closed_by_run, incident.runs) == (first.id, last.id, 4)
    assert (incident.status, incident.closed_because) == ("drop", "recovered")
    assert incident.metrics == {"control": "drop", "rows": "spike"}
    assert history.told() == [
        ("spike", "control: 412 where 890 to 930 was expected; anomalous too: rows."),
        ("recovered", "control and rows as expected again, after 4 anomalous runs."),
    ]
