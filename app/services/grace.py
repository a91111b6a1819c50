"""How long a tool may be silent after it was due."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from app.errors import BackendFailed, NotFound, Unavailable
from app.models.tool import Tool
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.incident_options import incident_options
from app.services.requests import tool_of

log = logging.getLogger(__name__)
SHORTEST_GRACE = timedelta(minutes=60)
PART_OF_PERIOD = 10
"""The grace is at least one such part of the time between two instants."""


@dataclass(frozen=True)
class Grace:
    """What a tool's entry chooses; else the longest of an hour, a part of the period, and the tool's time limit."""

    chosen: timedelta | None = None
    longest_run: timedelta = timedelta()

    @classmethod
    def of_tool(cls, tool: Tool) -> Grace:
        """Give what the entry of a tool says."""
        minutes = incident_options(tool.metrics).grace_minutes
        chosen = None if minutes is None else timedelta(minutes=minutes)
        return cls(chosen, timedelta(seconds=tool.timeout_seconds or 0))

    def of(self, period: timedelta) -> timedelta:
        """Give the grace of a tool that is due once in each ``period``."""
        return self.chosen or max(SHORTEST_GRACE, period / PART_OF_PERIOD, self.longest_run)


class Graces:
    """Reads the grace of tools, for one look.

    While the registry is away no run can be planned, so that silence is to be told all the more: then the entry counts
    with which the tool's last good run was planned. The registry is not asked again in the same look.
    """

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._is_registry_away = False

    def of(self, tool: str, last_run: int | None) -> Grace:
        """Give the grace of a tool; ``last_run`` is its last good run."""
        if not self._is_registry_away:
            try:
                return Grace.of_tool(self._context.registry.get_tool(tool)[0])
            except (NotFound, BackendFailed):
                return self._as_planned(last_run)
            except Unavailable as error:
                log.warning("How long tools may be silent is taken from their last runs: %s", error.message)
                self._is_registry_away = True
        return self._as_planned(last_run)

    def _as_planned(self, last_run: int | None) -> Grace:
        if last_run is None:
            return Grace()
        with self._context.database.transaction() as session:
            try:
                return Grace.of_tool(tool_of(RunRepository(session).get(last_run)))
            except (NotFound, TypeError):
                return Grace()
