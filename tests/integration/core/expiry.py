"""Runs that ended long ago, with what belongs to them, and who removes what has had its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from app.clock import utc_now
from app.models.run import RunStatus
from app.repositories.database import Database
from app.services.retention import Expired, RetentionService
from app.settings import Retention
from tests.integration.core.conftest import add_run

KEEP_ALL = Retention(**dict.fromkeys(vars(Retention()), 0))


def old_run(database: Database, days: int, output: bytes = b"", **columns: Any) -> int:
    """Store a run that ended so many days ago, with its output, an event and an attempt before its last."""
    ended = utc_now() - timedelta(days=days)
    known = {"status": RunStatus.SUCCEEDED, "defined_at": ended, "ended_at": ended, **columns}
    run_id = add_run(database, **{key: value for key, value in known.items() if key == "parent_id"}).id
    with database.transaction() as session:
        session.execute(
            text("update runs set status = :status, defined_at = :defined_at, ended_at = :ended_at where id = :id"),
            {**{key: known[key] for key in ("status", "defined_at", "ended_at")}, "id": run_id},
        )
        if known.get("is_unsettled"):
            session.execute(text("update runs set is_unsettled = true where id = :id"), {"id": run_id})
        session.execute(
            text("insert into run_attempts values (:id, 1, 'n', null, null, null, now(), 1, 'lost', '', 0)"),
            {"id": run_id},
        )
        for start in range(0, len(output), 10):
            values = {"id": run_id, "start": start, "data": output[start : start + 10]}
            session.execute(text("insert into run_output values (:id, :start, :data)"), values)
    return run_id


def add_file(database: Database, run_id: int, days: int = 1000) -> int:
    """Store the row of a file that was uploaded so many days ago, and give its number."""
    with database.transaction() as session:
        number = session.scalar(
            text(
                "insert into run_files (run_id, file_id, size_bytes, sha256, uploaded_by, uploaded_at)"
                " values (:id, 'input', 7, '', 'olga', now() - make_interval(days => :days)) returning id"
            ),
            {"id": run_id, "days": days},
        )
    return int(number or 0)


def count(database: Database, table: str, condition: str = "true") -> int:
    """Count the rows of a table."""
    with database.transaction() as session:
        return int(session.scalar(text(f"select count(*) from {table} where {condition}")) or 0)


class Sweeper:
    """A service with settings of the test, that never pauses and notes which files it was told to remove."""

    def __init__(self, database: Database) -> None:
        self.files: list[int] = []
        self.days = KEEP_ALL
        self._database = database

    def keep(self, **days: int) -> Sweeper:
        self.days = replace(self.days, **days)
        return self

    def service(self) -> RetentionService:
        return RetentionService(self._database, self.days, self.files.append)

    def remove(self) -> dict[str, Expired]:
        return {found.kind: found for found in self.service().remove("olga", lambda: False)}

    def preview(self) -> dict[str, Expired]:
        return {found.kind: found for found in self.service().preview()}
