"""A tool whose runs are noted as a run's last transaction notes them, with verdicts that the test chooses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.models.metric import Incident
from app.models.notification import Notification
from app.models.run import Run
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.incidents import IncidentRepository
from app.repositories.metrics import MetricRepository, NewPoint, SeriesName
from app.services.incidents import hold, note_run
from tests.integration.core.conftest import add_run

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
OK = {"status": "ok", "sentence": "900 where 890 to 930 was expected.", "current": 900.0}
DROP = {"status": "drop", "sentence": "412 where 890 to 930 was expected.", "expected": 910.0, "current": 412.0}
SPIKE = {"status": "spike", "sentence": "9000 where 890 to 930 was expected.", "current": 9000.0}
NO_METRIC = {"status": "no_metric", "sentence": "The run wrote no control metric.", "current": None}
BAD_METRIC = {"status": "bad_metric", "sentence": "The newest value is no number.", "current": None}


def worst(verdict: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    """Give a run's verdict: that of the control metric, which is the worst, and those of others."""
    return {**verdict, "metric": "control", "metrics": {"control": verdict, **others}}


class History:
    """The runs of one tool, an hour apart."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.entry: dict[str, Any] = {**Tool("spike", "olga", "img", "", "", "").to_dict(), "metrics": {}}
        self.now = START

    def run(self, verdict: dict[str, Any] | None, *, standing: str | None = None, clone: str = "data") -> int:
        """Let a run end an hour after the one before, with a control metric that stands so, and give its number."""
        self.now += timedelta(hours=1)
        run = add_run(self.database)
        with self.database.transaction() as session:
            row = session.get_one(Run, run.id)
            row.tool_entry, row.spike, row.ended_at, row.defined_at = self.entry, verdict, self.now, self.now
            row.clone = clone
        self.note(run.id, verdict, standing)
        return run.id

    def note(self, run_id: int, verdict: dict[str, Any] | None, standing: str | None = None) -> None:
        """Do what the run's last transaction does."""
        if verdict is None:
            return
        with self.database.transaction() as session:
            hold(session, "spike")
            for metric, one in (verdict.get("metrics") or {"control": verdict}).items():
                add = MetricRepository(session).add
                add(SeriesName("data", "spike", metric), [self._point(run_id, metric, one, standing)])
            note_run(session, session.get_one(Run, run_id), verdict, self.now)

    def imports(self, *labels: str) -> None:
        """Store points of the control metric that no run of this node has reported."""
        points = [self._point(number, "control", OK, None) for number in range(len(labels))]
        found = [replace(point, label=label, run_id=None) for point, label in zip(points, labels, strict=True)]
        with self.database.transaction() as session:
            MetricRepository(session).add(SeriesName("data", "spike", "control"), found)

    def _point(self, run_id: int, metric: str, verdict: dict[str, Any], standing: str | None) -> NewPoint:
        given = standing or ("flagged" if verdict["status"] in ("drop", "spike") else "counted")
        return NewPoint(
            label=f"{metric}-{run_id:06}",
            sort_key=f"{run_id:06}",
            measured_at=self.now,
            value=verdict["current"],
            reported="",
            judged=given,
            standing=given,
            status=verdict["status"],
            verdict=verdict,
            source="run",
            run_id=run_id,
        )

    def incidents(self) -> list[Incident]:
        """Give all incidents, the newest first."""
        with self.database.transaction() as session:
            return list(IncidentRepository(session).list())

    def told(self) -> list[tuple[str, str]]:
        """Give kind and sentence of every message, in their order."""
        with self.database.transaction() as session:
            rows = session.scalars(select(Notification).order_by(Notification.created_at))
            return [(row.kind, row.summary) for row in rows]

    def values(self) -> list[dict[str, Any]]:
        """Give what every message has beside its sentence, in their order."""
        with self.database.transaction() as session:
            return list(session.scalars(select(Notification.values).order_by(Notification.created_at)))

    def kinds(self) -> list[str]:
        """Give the kind of every message, in their order."""
        return [kind for kind, _ in self.told()]

    def standings(self, metric: str = "control") -> list[str]:
        """Give how the points of a metric stand, oldest first."""
        with self.database.transaction() as session:
            past = MetricRepository(session).past(SeriesName("data", "spike", metric), "999999")
            return [point.standing for point in past]
