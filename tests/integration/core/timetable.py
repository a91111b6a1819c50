"""A time that the test sets, and what the schedules need besides."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from app.errors import NotFound
from app.models.run import Run
from app.models.tool import Tool
from app.repositories.database import Database

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def runs_of(database: Database, job_id: str | None = None) -> list[Run]:
    """Give all runs, or those of one job, oldest first."""
    with database.transaction() as session:
        query = select(Run).order_by(Run.id)
        return list(session.scalars(query if job_id is None else query.where(Run.job_id == job_id)))


class KnownTools:
    """Stands where the planner stands: knows two tools."""

    def plan(self, tool_name: str, labels: dict[str, str] | None = None) -> dict[str, object]:
        if tool_name not in ("spike", "other"):
            raise NotFound(f"There is no tool '{tool_name}'.")
        return {"tool_entry": Tool(tool_name, "olga", "img", "", "", "").to_dict()}


class Time:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now
