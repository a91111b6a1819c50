"""Incidents as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from app.models.metric import Incident
from app.repositories.database import Database
from app.repositories.incidents import IncidentRepository
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.registry import Registry


class IncidentService:
    """Shows incidents; runs, decisions and the agent open and close them."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def list(
        self,
        *,
        after: int | None = None,
        limit: int = 100,
        tool: str | None = None,
        kind: str | None = None,
        is_open: bool | None = None,
    ) -> Sequence[Incident]:
        """Give incidents, newest first, beginning behind ``after``.

        Raises:
            NotFound: there is no ``tool`` of that name, and neither an incident nor a number of one.
        """
        with self._database.transaction() as session:
            incidents = IncidentRepository(session)
            found = incidents.list(tool=tool, kind=kind, is_open=is_open, before=after, limit=limit)
            is_known = tool is None or bool(
                found or incidents.list(tool=tool, limit=1) or MetricDecisionRepository(session).metrics(tool)
            )
        if tool is not None and not is_known:
            self._registry.get_tool(tool)
        return found
