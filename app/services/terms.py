"""An agent's term of office: it begins with a new epoch, and shows that it is alive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.errors import Unavailable
from app.repositories.agents import AgentRepository
from app.repositories.clones import CloneRepository
from app.repositories.database import Database
from app.services.agent_context import AgentContext


@dataclass(frozen=True)
class Term:
    """The identifier of the installation, and the epoch that fences every change of a row."""

    installation: str
    epoch: int


def begin_term(database: Database, node: str) -> Term:
    """Take over the node: from now on no older agent changes a row."""
    with database.transaction() as session:
        agents = AgentRepository(session)
        CloneRepository(session).forget_interrupted()
        return Term(agents.installation(), agents.take_over(node))


def show_life(context: AgentContext, ticks: dict[str, Any]) -> None:
    """Write the agent's signs of life, and which backends it reaches, for the API to show."""
    systems = {executor.name: _reach(executor.ping) for executor in context.executors.values()}
    with context.database.transaction() as session:
        AgentRepository(session).show_life(context.node, context.epoch, ticks=ticks, systems=systems)


def _reach(ping: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"is_up": True, "detail": ping()}
    except Unavailable as error:
        return {"is_up": False, "detail": error.message}
