"""The agent's row and the installation's identifier."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import __version__
from app.clock import utc_now
from app.errors import Superseded
from app.models.agent import Agent, Installation


class AgentRepository:
    """Queries about the agent, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take_over(self, node: str) -> int:
        """Begin a new epoch of this node's agent and give it; every older epoch owns nothing from now on."""
        now = utc_now()
        row = {"node": node, "epoch": 1, "version": __version__, "started_at": now, "seen_at": now}
        statement = insert(Agent).values(row)
        newer = {**row, "epoch": Agent.epoch + 1}
        epoch: int | None = self._session.scalar(
            statement.on_conflict_do_update(index_elements=["node"], set_=newer).returning(Agent.epoch)
        )
        assert epoch is not None
        return epoch

    def show_life(self, node: str, epoch: int, *, ticks: dict[str, Any], systems: dict[str, Any]) -> None:
        """Note that this epoch's agent is alive, when its internal jobs last ran, and which systems it reaches."""
        self._session.execute(
            update(Agent)
            .where(Agent.node == node, Agent.epoch == epoch)
            .values(seen_at=utc_now(), ticks=ticks, systems=systems)
        )

    def hold_term(self, node: str, epoch: int) -> None:
        """Keep a new term of office from beginning before this transaction ends.

        Raises:
            Superseded: one has begun already.
        """
        query = select(Agent.node).where(Agent.node == node, Agent.epoch == epoch).with_for_update(read=True)
        if self._session.scalar(query) is None:
            raise Superseded("Another agent has taken over this node.")

    def find(self, node: str) -> Agent | None:
        """Give the row of a node's agent, or None where it never had one."""
        return self._session.get(Agent, node)

    def find_latest(self) -> Agent | None:
        """Give the row of the agent that was last seen alive, or None where none ever was."""
        return self._session.scalar(select(Agent).order_by(Agent.seen_at.desc()).limit(1))

    def installation(self) -> Installation:
        """Give this installation's row, made at the first call and the same ever after."""
        row = {
            "id": 1,
            "identifier": secrets.token_hex(8),
            "webhook_key": secrets.token_hex(32),
            "created_at": utc_now(),
        }
        self._session.execute(insert(Installation).values(row).on_conflict_do_nothing(index_elements=["id"]))
        return self._session.scalars(select(Installation)).one()

    def find_webhook_key(self) -> str | None:
        """Give the key of this installation's webhooks, or None where no agent ever was."""
        return self._session.scalar(select(Installation.webhook_key))
