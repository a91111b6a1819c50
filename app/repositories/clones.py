"""Which clones this node has or is asked to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.errors import NotFound, nearest
from app.models.clone import BUSY, Clone, CloneState

CLONE_CHANNEL = "mao_clone"
"""Told when a clone is asked for or asked to be removed."""


class CloneRepository:
    """Queries about clones, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str, *, is_locked: bool = False) -> Clone | None:
        """Give the clone's row, or None."""
        query = select(Clone).where(Clone.name == name)
        return self._session.scalar(query.with_for_update() if is_locked else query)

    def get(self, name: str, *, is_locked: bool = False) -> Clone:
        """Give the clone's row.

        Raises:
            NotFound: this node has no such clone; the nearest known one is named.
        """
        clone = self.find(name, is_locked=is_locked)
        if clone is None:
            known = self._session.scalars(select(Clone.name).order_by(Clone.name).limit(1000))
            raise NotFound(f"There is no local clone '{name}'.", hint=nearest(name, known))
        return clone

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Clone]:
        """Give clones in the order of their names, beginning behind ``after``."""
        return list(self._session.scalars(select(Clone).where(Clone.name > after).order_by(Clone.name).limit(limit)))

    def put(self, name: str, **values: Any) -> None:
        """Store a row, or change the one that is there."""
        row = {"name": name, "updated_at": utc_now(), **values}
        statement = insert(Clone).values(row)
        self._session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))

    def change(self, name: str, old: CloneState, new: CloneState, **values: Any) -> bool:
        """Move a clone from ``old`` to ``new`` by a conditional UPDATE; give whether the row changed."""
        statement = update(Clone).where(Clone.name == name, Clone.state == old)
        row = {"state": new, "updated_at": utc_now(), **values}
        return self._session.execute(statement.values(row).returning(Clone.name)).first() is not None

    def set_progress(self, name: str, percent: int, message: str) -> None:
        """Note how far the cloning has come."""
        statement = update(Clone).where(Clone.name == name, Clone.state == CloneState.CLONING)
        self._session.execute(statement.values(progress_percent=percent, message=message, updated_at=utc_now()))

    def set_head(self, name: str, commit: str) -> None:
        """Note which commit the clone shows."""
        self._session.execute(update(Clone).where(Clone.name == name).values(head_commit=commit))

    def lock(self, name: str) -> None:
        """Keep everybody else from claiming or changing this clone until the transaction ends."""
        self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"clone {name}"))))

    def is_busy(self, name: str) -> bool:
        """Tell whether the clone waits for the agent, or is being made or removed."""
        query = select(Clone.name).where(Clone.name == name, Clone.state.in_(BUSY))
        return self._session.scalar(query) is not None

    def note_head(self, name: str, url: str, branch: str | None, head_commit: str | None) -> None:
        """Note what a run left in its clone; a wish that waits for the agent stays."""
        row: dict[str, Any] = {
            "name": name,
            "url": url,
            "branch": branch,
            "state": CloneState.READY,
            "head_commit": head_commit,
        }
        row |= {"progress_percent": 100, "message": "", "updated_at": utc_now()}
        self._session.execute(
            insert(Clone)
            .values(row)
            .on_conflict_do_update(index_elements=["name"], set_=row, where=Clone.state.not_in(BUSY))
        )

    def wanted(self) -> Sequence[Clone]:
        """Give the clones that wait for the agent."""
        states = (CloneState.REQUESTED, CloneState.REMOVING)
        return list(self._session.scalars(select(Clone).where(Clone.state.in_(states)).order_by(Clone.updated_at)))

    def forget_interrupted(self) -> None:
        """Ask again for what an agent before us had begun."""
        self._session.execute(update(Clone).where(Clone.state == CloneState.CLONING).values(state=CloneState.REQUESTED))

    def remove(self, name: str) -> None:
        """Delete the row."""
        self._session.execute(delete(Clone).where(Clone.name == name))

    def announce(self) -> None:
        """Wake the agent when this transaction commits."""
        self._session.execute(select(func.pg_notify(CLONE_CHANNEL, "")))
