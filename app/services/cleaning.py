"""The agent's cleaning: what has had its time, and garbage, of which most is images."""

from __future__ import annotations

import logging

from app.services.agent_context import AgentContext
from app.services.garbage import Premises, collect
from app.services.garbage_finders import REST
from app.services.retention import RetentionService

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5
"""Between two batches, in which the database is everybody else's."""


class Cleaner:
    """Does the rounds of one term of office; both may take a while, and both stop when it is over."""

    def __init__(self, context: AgentContext, retention: RetentionService) -> None:
        self._context = context
        self._retention = retention

    def remove_expired(self) -> None:
        """Remove what is older than the settings keep it."""
        for removed in self._retention.remove(self._context.actor, self._is_over):
            if removed.amount.count:
                log.info("Removed by age: %s of %s.", removed.amount.count, removed.kind)

    def collect_garbage(self) -> None:
        """Remove all garbage but attempts, for which there is a sweep every few seconds."""
        context = self._context
        premises = Premises(
            settings=context.settings,
            database=context.database,
            registry=context.registry,
            workdirs=context.workdirs,
            executors=context.executors,
            installation=context.installation,
        )
        collected = collect(premises, REST, context.actor)
        for item in collected.items:
            log.info("Removed the %s %s: %s.", item.kind, item.name, item.why)
        for problem in collected.problems:
            log.warning("Some garbage stays for now. %s", problem)

    def _is_over(self) -> bool:
        return self._context.lost.wait(_PAUSE_SECONDS)
