"""An agent's term of office: it begins with a new epoch, and shows that it is alive."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.clock import utc_now
from app.errors import Unavailable
from app.executors.base import Executor
from app.repositories.agents import AgentRepository
from app.repositories.clone_fence import Fence
from app.repositories.clones import CloneRepository
from app.repositories.database import Database
from app.repositories.installations import InstallationRepository
from app.repositories.run_locks import RunLockRepository
from app.services.agent_context import AgentContext

SILENCE_SECONDS = 15.0
_STALE = timedelta(seconds=10)


@dataclass(frozen=True)
class Term:
    """The identifier of the installation, the key of its webhooks, and the epoch that fences every change of a row."""

    installation: str
    webhook_key: str = field(repr=False)
    epoch: int


def begin_term(database: Database, node: str) -> Term:
    """Take over the node: from now on no older agent changes a row."""
    with database.transaction() as session:
        agents = AgentRepository(session)
        # First, as an older agent that is still at work asks for its own row before any other.
        epoch = agents.take_over(node)
        CloneRepository(session).forget_interrupted()
        InstallationRepository(session).forget_interrupted()
        RunLockRepository(session).forget_waiting()
        ours = agents.installation()
        return Term(ours.identifier, ours.webhook_key, epoch)


def fence_of(database: Database, node: str, epoch: int) -> Fence:
    """Give what keeps the agent of this epoch out of the clones once another one has taken over the node."""

    def is_current() -> bool:
        with database.transaction() as session:
            agent = AgentRepository(session).find(node)
        return agent is not None and agent.epoch == epoch

    # Not the epoch, because a database that was put back to an older state gives epochs again.
    return Fence(secrets.token_hex(8), is_current)


class LeaderWatch:
    """Watches the node's leading agent for one that waits. An unchanged sign of life counts, and no clock but ours."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node
        self._seen_at: datetime | None = None
        self._unchanged_since = time.monotonic()

    def is_silent(self) -> bool:
        """Tell whether the leader has shown no sign of life for as long as we watch, and long enough."""
        with self._database.transaction() as session:
            agent = AgentRepository(session).find(self._node)
        seen_at = agent.seen_at if agent else None
        if seen_at != self._seen_at:
            self._seen_at, self._unchanged_since = seen_at, time.monotonic()
        return time.monotonic() - self._unchanged_since > SILENCE_SECONDS


class Life:
    """The agent's signs of life, and what it sees of the backends, for the API to show.

    Looking and showing are apart, because a backend that hangs must not make the agent look dead.
    """

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._gaps: dict[str, str | None] = {}
        self._seen: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def look(self) -> None:
        """Ask every backend whether it is there."""
        for executor in self._context.executors.values():
            finding = self._reach(executor)
            self._seen[executor.name] = (utc_now(), finding)

    def close_gaps(self) -> None:
        """Ask every backend what it leaves open that should be closed; it closes what it can."""
        for executor in self._context.executors.values():
            self._gaps[executor.name] = executor.gap()

    def show(self, ticks: dict[str, Any]) -> None:
        """Write that this agent is alive, when its internal jobs last came, and which backends it reaches."""
        if not self._seen:
            self.look()
        systems = {name: _if_fresh(*seen) for name, seen in dict(self._seen).items()}
        with self._context.database.transaction() as session:
            AgentRepository(session).show_life(self._context.node, self._context.epoch, ticks=ticks, systems=systems)

    def _reach(self, executor: Executor) -> dict[str, Any]:
        try:
            version = executor.ping()
        except Unavailable as error:
            return {"is_up": False, "detail": error.message}
        gap = self._gaps.get(executor.name)
        return {"is_up": True, "detail": f"{version}; {gap}" if gap else version}


def _if_fresh(seen_at: datetime, finding: dict[str, Any]) -> dict[str, Any]:
    age = utc_now() - seen_at
    if age <= _STALE:
        return finding
    return {"is_up": False, "detail": f"It has not answered for {int(age.total_seconds())} seconds."}
