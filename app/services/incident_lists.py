"""Incidents as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from app.models.metric import Incident
from app.repositories.database import Database
from app.repositories.incidents import IncidentRepository


class IncidentService:
    """Shows incidents; runs, decisions and the agent open and close them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        *,
        after: int | None = None,
        limit: int = 100,
        tool: str | None = None,
        kind: str | None = None,
        is_open: bool | None = None,
    ) -> Sequence[Incident]:
        """Give incidents, newest first, beginning behind ``after``."""
        with self._database.transaction() as session:
            return IncidentRepository(session).list(tool=tool, kind=kind, is_open=is_open, before=after, limit=limit)
