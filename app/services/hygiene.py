"""Leftovers: containers of ours whose run is over. Nothing without this installation's labels is ever touched."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

from app.clock import utc_now
from app.errors import BackendFailed, Unavailable
from app.executors.base import Executor, Leftover
from app.models.run import FINAL, RunStatus
from app.repositories.database import Database
from app.repositories.installations import InstallationRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext

log = logging.getLogger(__name__)
_GRACE = timedelta(seconds=60)
"""A container whose run is unknown may have been made a moment before a database was put back; it is given time."""


def sweep(context: AgentContext, supervised: Collection[int]) -> int:
    """Remove what is left over on every backend, but what is being looked after; give how many were removed."""
    removed = 0
    for executor in context.executors.values():
        try:
            leftovers = executor.leftovers(context.installation, context.node)
        except Unavailable as error:
            log.debug("No sweep of %s: %s", executor.name, error.message)
            continue
        candidates = [leftover for leftover in leftovers if leftover.run_id not in supervised]
        removed += sum(_remove(executor, leftover) for leftover in over(context.database, candidates))
    return removed


def over(database: Database, candidates: list[Leftover]) -> list[Leftover]:
    """Give those whose attempt is over, or whose run or installation nobody knows."""
    if not candidates:
        return []
    with database.transaction() as session:
        known = RunRepository(session).attempts([leftover.run_id for leftover in candidates])
        installing = InstallationRepository(session).at_work()
    runs = [found for found in candidates if not found.is_installer and _is_over(found, known.get(found.run_id))]
    return runs + [found for found in candidates if found.is_installer and found.run_id not in installing]


def _is_over(leftover: Leftover, row: tuple[str, int] | None) -> bool:
    if row is None:
        return utc_now() - leftover.created_at > _GRACE
    status, attempt = row
    # A run that waits again has ended all its attempts so far. One that was claimed and forgotten by a crash of
    # PostgreSQL shows a smaller number than its container, which the next claim finds again.
    is_between = status == RunStatus.WAITING_LOCKS and leftover.attempt == attempt
    return status in FINAL or leftover.attempt < attempt or is_between


def _remove(executor: Executor, leftover: Leftover) -> bool:
    try:
        executor.remove(leftover.handle)
    except (Unavailable, BackendFailed) as error:
        log.warning("A leftover of run %s cannot be removed: %s", leftover.run_id, error.message)
        return False
    log.info("Removed a leftover of run %s.", leftover.run_id)
    return True
