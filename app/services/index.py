"""The index of snapshots: what the federation published by hub, day and operator, and clones that show it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from app.errors import AlreadyExists, BackendFailed, NotFound, WrongState, nearest
from app.models.clone import Clone, CloneState
from app.models.index import IndexEntry
from app.models.names import checked_name
from app.repositories.clones import CloneRepository
from app.repositories.database import Database, Session
from app.repositories.git_urls import checked_url
from app.repositories.index import Index
from app.repositories.registry import Registry
from app.repositories.runs import RunRepository

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAME_LENGTH = 63
_OPERATOR_LENGTH = 20
_MOST_NAMES_FOR_A_HINT = 2000
_COMING = "What a run has just pushed is there within seconds."


class IndexService:
    """The use cases of the index. They raise ``RegistryDown`` when etcd does not answer."""

    def __init__(self, index: Index, registry: Registry, database: Database, *, allow_local: bool) -> None:
        """``allow_local`` accepts folders of this machine as git remotes."""
        self._index = index
        self._registry = registry
        self._database = database
        self._allow_local = allow_local

    def hubs(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """Give the hubs that have snapshots, beginning behind ``after``."""
        return self._index.hubs(after, limit)

    def dates(self, hub: str, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """Give the days of which a hub has snapshots, the oldest first, beginning behind ``after``.

        Raises:
            NotFound: it has none; the nearest hub is named.
            Invalid: that is no name of a hub.
        """
        found = self._index.dates(hub, after, limit)
        if not found and not after:
            known = self._index.hubs(limit=_MOST_NAMES_FOR_A_HINT)
            raise NotFound(f"The index has no hub '{hub}'.", hint=nearest(hub, known) or _COMING)
        return found

    def snapshots(self, hub: str, date: str, *, after: str = "", limit: int = 100) -> Sequence[IndexEntry]:
        """Give the snapshots of a hub and day by operator and data set, beginning behind ``after``.

        ``after`` is ``operator/dataset``.

        Raises:
            NotFound: there is none.
            Invalid: the hub or the day is none.
        """
        found = self._index.snapshots(hub, date, after, limit)
        if not found and not after:
            raise NotFound(
                f"The index has no snapshot of hub '{hub}' on {date}.", hint=f"Ask for the days of the hub. {_COMING}"
            )
        return found

    def retrieve(self, hub: str, date: str, operator: str, dataset: str, name: str | None = None) -> Clone:
        """Ask the agent for a clone that shows exactly the commit of a snapshot, and give its row.

        It is called ``name``, else after data set and day, and where that is taken after the operator too. Asked
        again, it is the same clone; one that could not be made is tried again.

        Raises:
            NotFound: the index has no such snapshot.
            AlreadyExists: the name is taken.
            WrongState: it is being removed.
            Invalid: the name is none, or the snapshot lies where this node may not go.
            BackendFailed: what the index says of it cannot be used.
        """
        entry = self._index.get(hub, date, operator, dataset)
        if not _COMMIT.fullmatch(entry.commit):
            raise BackendFailed(
                f"The index names no commit for '{dataset}' by '{operator}' on {date}.",
                hint="Its operator can publish it again by a run of the tool.",
            )
        checked_url(entry.url, allow_local=self._allow_local)
        names = [checked_name(name)] if name is not None else list(default_names(entry))
        known = [wanted for wanted in names if not self._is_registered(wanted)]
        for wanted in known:
            if (clone := self._asked_for(wanted, entry)) is not None:
                return clone
        raise AlreadyExists(
            f"The name '{names[-1]}' is taken on this node, by a clone, a data set, a tool or a run.",
            hint="Give the clone another one: --as NAME",
        )

    def _asked_for(self, name: str, entry: IndexEntry) -> Clone | None:
        """Ask for a clone of that name and give its row; None where the name belongs to something else."""
        with self._database.transaction() as session:
            clones = CloneRepository(session)
            clones.lock(name)
            clone = clones.find(name, is_locked=True)
            if clone is None and RunRepository(session).is_clone_wanted(name):
                return None
            if clone is not None and (clone.commit, clone.url) != (entry.commit, entry.url):
                return None
            if clone is not None and clone.state == CloneState.REMOVING:
                raise WrongState(f"The clone '{name}' is being removed.", hint="Try again in a moment.")
            if clone is None or clone.state == CloneState.FAILED:
                _put(session, name, entry)
            session.expire_all()
            return clones.get(name)

    def _is_registered(self, name: str) -> bool:
        """Tell whether a data set or a tool has the name, whose runs would work in a clone of that name."""
        return _is_there(self._registry.get_dataset, name) or _is_there(self._registry.get_tool, name)


def default_names(entry: IndexEntry) -> Iterator[str]:
    """Give the names that a clone of a snapshot may get, best first; data sets with long names are cut."""
    yield _fitted(entry.dataset, f"-{entry.date}")
    yield _fitted(entry.dataset, f"-{entry.date}-{entry.operator[:_OPERATOR_LENGTH]}")


def _fitted(name: str, end: str) -> str:
    return name[: _NAME_LENGTH - len(end)] + end


def _put(session: Session, name: str, entry: IndexEntry) -> None:
    clones = CloneRepository(session)
    clones.put(
        name,
        url=entry.url,
        commit=entry.commit,
        state=CloneState.REQUESTED,
        progress_percent=0,
        message="waiting for the agent",
    )
    clones.announce()


def _is_there(get: Callable[[str], object], name: str) -> bool:
    try:
        get(name)
    except NotFound:
        return False
    except BackendFailed:
        # An entry that cannot be read has the name all the same.
        return True
    return True
