"""Garbage: what the product put somewhere and nobody needs any more. What bears no label or row of ours is no garbage.

Where it comes from is in ``app.services.garbage_finders``: one finder for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from app.errors import BackendFailed, MaoError, Unavailable
from app.executors.base import Executor
from app.repositories.database import Database
from app.repositories.file_store import FileStore
from app.repositories.registry import Registry
from app.repositories.workdirs import Workdirs
from app.services.audit import AuditService
from app.services.images import keep_book
from app.settings import Settings


@dataclass(frozen=True)
class Premises:
    """All the places of a node in which there may be garbage of one installation."""

    settings: Settings
    database: Database
    registry: Registry
    workdirs: Workdirs
    executors: Mapping[str, Executor]
    installation: str

    @property
    def files(self) -> FileStore:
        """The uploaded files."""
        return FileStore(self.settings.working_environment.filesdir)


@dataclass(frozen=True)
class Garbage:
    """One thing to be removed: its kind, its name, why it is garbage, and its bytes as far as they are known.

    ``remove`` gives False where the thing turned out to be needed after all.
    """

    kind: str
    name: str
    why: str
    size_bytes: int
    remove: Callable[[], object] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Finder:
    """Looks for garbage of one sort; ``what`` is its word for it, in the plural."""

    what: str
    look: Callable[[Premises], Iterator[Garbage]]


@dataclass
class Collection:
    """What was found or removed, and in sentences what stood in the way."""

    items: list[Garbage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """The bytes of all items together."""
        return sum(item.size_bytes for item in self.items)


def find(premises: Premises, finders: Iterable[Finder]) -> Collection:
    """Find garbage; what cannot be looked at now is told, and the rest is found all the same."""
    found = Collection()
    for finder in finders:
        try:
            found.items += finder.look(premises)
        except (Unavailable, BackendFailed, OSError) as error:
            found.problems.append(_problem(f"The {finder.what} were not looked at", error))
    return found


def collect(premises: Premises, finders: Iterable[Finder], actor: str) -> Collection:
    """Find garbage and remove it; give what is gone, and what stood in the way. The audit log names ``actor``."""
    problems = []
    try:
        keep_book(premises.database, premises.executors.values())
    except (Unavailable, BackendFailed) as error:
        problems.append(_problem("Which images are in use could not be noted", error))
    found = find(premises, finders)
    removed = _remove(Collection(found.items, problems + found.problems))
    for item in removed.items:
        AuditService(premises.database).note(actor, f"gc.{item.kind}", item.name, {"why": item.why})
    return removed


def _remove(found: Collection) -> Collection:
    removed = Collection(problems=list(found.problems))
    for item in found.items:
        try:
            if item.remove() is not False:
                removed.items.append(item)
        except (Unavailable, BackendFailed, OSError) as error:
            removed.problems.append(_problem(f"The {item.kind} {item.name} was not removed", error))
    return removed


def _problem(what: str, error: Exception) -> str:
    return f"{what}: {error.message if isinstance(error, MaoError) else error}"
