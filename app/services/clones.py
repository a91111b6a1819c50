"""Local clones of data sets: the API asks, the agent does."""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import WrongState
from app.models.clone import Clone, CloneState
from app.models.dataset import Dataset
from app.repositories.clones import CloneRepository
from app.repositories.database import Database, Session
from app.repositories.runs import RunRepository


class CloneService:
    """One public method a use case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, dataset: Dataset) -> Clone:
        """Ask the agent to clone a data set, or to refresh the clone that is there; give its row.

        Raises:
            WrongState: the clone is being removed, or a run uses it (and has refreshed it before it began), or a
                retrieved snapshot has its name.
        """
        with self._database.transaction() as session:
            clones = CloneRepository(session)
            clones.lock(dataset.name)
            check_no_snapshot(session, dataset.name)
            _require_free(session, dataset.name)
            known = clones.find(dataset.name, is_locked=True)
            if known is not None and known.state == CloneState.REMOVING:
                raise WrongState(f"The clone '{dataset.name}' is being removed.", hint="Try again in a moment.")
            if known is None or known.state != CloneState.CLONING:
                clones.put(
                    dataset.name,
                    url=dataset.url,
                    branch=dataset.branch or None,
                    history=dataset.history,
                    state=CloneState.REQUESTED,
                    progress_percent=0,
                    message="waiting for the agent",
                )
                clones.announce()
            session.expire_all()
            return clones.get(dataset.name)

    def check_no_snapshot(self, name: str) -> None:
        """Refuse a name that a retrieved snapshot has; see ``check_no_snapshot`` below."""
        with self._database.transaction() as session:
            check_no_snapshot(session, name)

    def get(self, name: str) -> Clone:
        """Give a clone's row.

        Raises:
            NotFound: this node has no such clone.
        """
        with self._database.transaction() as session:
            return CloneRepository(session).get(name)

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Clone]:
        """Give clones in the order of their names, beginning behind ``after``."""
        with self._database.transaction() as session:
            return CloneRepository(session).list(after=after, limit=limit)

    def request_removal(self, name: str, *, is_forced: bool = False) -> Clone:
        """Ask the agent to remove a clone. Unless forced it keeps one that holds unsaved work, and says so there.

        Raises:
            NotFound: this node has no such clone.
            WrongState: a run uses it, or it is being cloned.
        """
        with self._database.transaction() as session:
            clones = CloneRepository(session)
            clones.lock(name)
            clone = clones.get(name, is_locked=True)
            _require_free(session, name)
            if clone.state == CloneState.CLONING:
                raise WrongState(f"The clone '{name}' is being made.", hint="Try again when it is ready.")
            clones.put(
                name,
                url=clone.url,
                state=CloneState.REMOVING,
                is_removal_forced=is_forced,
                message="waiting for the agent",
            )
            clones.announce()
            session.expire_all()
            return clones.get(name)


def check_no_snapshot(session: Session, name: str) -> None:
    """Refuse a name that a retrieved snapshot has, because that must never become a clone that is worked in.

    Raises:
        WrongState: saying how to free the name.
    """
    clone = CloneRepository(session).find(name)
    if clone is not None and clone.commit is not None:
        raise WrongState(
            f"The name '{name}' belongs to a retrieved snapshot of this node, at commit {clone.commit[:12]}.",
            hint=f"Remove that first (maoctl dataset remove-local {name}), or choose another name.",
        )


def _require_free(session: Session, name: str) -> None:
    holder = RunRepository(session).holder_of(name)
    if holder is not None:
        raise WrongState(f"Run {holder} is using the clone '{name}'.", hint=f"Wait for it: maoctl run wait {holder}")
