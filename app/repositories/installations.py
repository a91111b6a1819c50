"""Which definition tools this node has installed or is asked to install."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.errors import NotFound, nearest
from app.models.installation import NUMBERS, Installation, InstallationState
from app.models.run import HELD, Run

INSTALLATION_CHANNEL = "mao_installation"
"""Told when something is asked for."""

_S = InstallationState


class InstallationRepository:
    """Queries about installations, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str, *, is_locked: bool = False) -> Installation | None:
        """Give the row of a tool, or None."""
        query = select(Installation).where(Installation.name == name)
        return self._session.scalar(query.with_for_update() if is_locked else query)

    def get(self, name: str, *, is_locked: bool = False) -> Installation:
        """Give the row of a tool.

        Raises:
            NotFound: it is not installed here; the nearest one that is is named.
        """
        found = self.find(name, is_locked=is_locked)
        if found is None:
            known = self._session.scalars(select(Installation.name).order_by(Installation.name).limit(1000))
            cure = f"A definition tool is installed with: maoctl tool install {name}. An image needs no installation."
            hint = nearest(name, known) or cure
            raise NotFound(f"The tool '{name}' is not installed on this node.", hint=hint)
        return found

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Installation]:
        """Give installations in the order of their names, beginning behind ``after``."""
        query = select(Installation).where(Installation.name > after).order_by(Installation.name).limit(limit)
        return list(self._session.scalars(query))

    def ask(self, name: str, *, branch: str, commit: str) -> None:
        """Ask for an installation, or for another one in place of the one that is there."""
        wish = {"state": _S.REQUESTED, "branch": branch, "wanted_commit": commit, "updated_at": utc_now()}
        wish |= {"message": "waiting for the agent", "log": ""}
        statement = insert(Installation).values(name=name, **wish)
        self._session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=wish))
        self._announce()

    def ask_removal(self, name: str) -> None:
        """Ask for the removal of an installation, whatever is done with it now."""
        values = {"state": _S.REMOVING, "message": "waiting for the agent", "updated_at": utc_now()}
        self._session.execute(update(Installation).where(Installation.name == name).values(values))
        self._announce()

    def wanted(self) -> Sequence[Installation]:
        """Give the installations that wait for the agent."""
        states = (_S.REQUESTED, _S.REMOVING)
        query = select(Installation).where(Installation.state.in_(states)).order_by(Installation.updated_at)
        return list(self._session.scalars(query))

    def begin(self, name: str) -> Installation | None:
        """Note that the tool is being installed, and give the row as it is now; None where that is not asked any more.

        Its wish is the one that is done, whatever was asked before. Its number fences the attempt: one that was
        replaced changes no row.
        """
        values = {"state": _S.INSTALLING, "number": NUMBERS.next_value(), "message": "", "updated_at": utc_now()}
        statement = update(Installation).where(Installation.name == name, Installation.state == _S.REQUESTED)
        query = statement.values(values).returning(Installation)
        query = query.execution_options(populate_existing=True, synchronize_session=False)
        return self._session.scalars(query).first()

    def change(self, name: str, number: int, **values: Any) -> bool:
        """Change the row of an attempt that is under way; give whether it still is."""
        mine = (Installation.name == name, Installation.number == number, Installation.state == _S.INSTALLING)
        statement = update(Installation).where(*mine).values(updated_at=utc_now(), **values)
        return self._session.execute(statement.returning(Installation.name)).first() is not None

    def say(self, name: str, message: str) -> None:
        """Note what a wish waits for."""
        self._session.execute(update(Installation).where(Installation.name == name).values(message=message))

    def forget_interrupted(self) -> None:
        """Ask again for what an agent before us had begun."""
        begun = update(Installation).where(Installation.state == _S.INSTALLING)
        self._session.execute(begun.values(state=_S.REQUESTED, message="begun anew"))

    def remove(self, name: str) -> None:
        """Delete the row of an installation that is to be removed."""
        self._session.execute(delete(Installation).where(Installation.name == name, Installation.state == _S.REMOVING))

    def at_work(self) -> frozenset[int]:
        """Give the numbers of the attempts that are under way."""
        query = select(Installation.number).where(Installation.state == _S.INSTALLING)
        return frozenset(number for number in self._session.scalars(query) if number is not None)

    def kept(self, name: str) -> frozenset[int]:
        """Give the numbers of which something is to be kept: of what can be used, and of what is under way."""
        row = self.find(name)
        if row is None:
            return frozenset()
        under_way = row.number if row.state == _S.INSTALLING else None
        return frozenset(number for number in (row.current, under_way) if number is not None)

    def unfinished_runs(self, name: str, *, is_held: bool = False) -> Sequence[int]:
        """Give the numbers of a tool's runs that are not over; on wish only those that an agent has begun.

        One that has begun and waits for a further attempt is one of these: it goes on with the code that it had.
        """
        query = select(Run.id).where(Run.tool == name, Run.ended_at.is_(None))
        if is_held:
            query = query.where(or_(Run.status.in_(HELD), Run.definition_commit.is_not(None)))
        return list(self._session.scalars(query.order_by(Run.id).limit(100)))

    def _announce(self) -> None:
        self._session.execute(select(func.pg_notify(INSTALLATION_CHANNEL, "")))
