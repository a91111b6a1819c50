"""Snapshots, as a user sees them: list them, and find the one that is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from app.errors import NotFound, StillWorking, nearest
from app.models.clone import Clone, CloneState
from app.models.snapshot import Listed, Place, Snapshot
from app.repositories.clones import CloneRepository
from app.repositories.database import Database, Session
from app.repositories.runs import RunRepository
from app.repositories.snapshots import SnapshotFilter, SnapshotRepository
from app.services.snapshot_references import Reference, missing, parse

EVERY: Mapping[str, Any] = MappingProxyType({})
_KNOWN_CLONES = 1000


class SnapshotService:
    """Reads the index only, never a clone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, name: str, wanted: Mapping[str, Any] = EVERY, after: Place | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        """Give the snapshots of the clone ``name``, newest first, beginning behind the place ``after``.

        ``wanted`` may hold the days ``since`` and ``until``, both included, and the number of a ``run``.

        Raises:
            NotFound: this node has no such clone, or nothing in it is from that run.
        """
        with self._database.transaction() as session:
            clone = _clone(session, name)
            if (run_id := wanted.get("run")) is not None:
                _require_run(session, clone, run_id)
            return SnapshotRepository(session).list(name, SnapshotFilter(**wanted), after=after, limit=limit)

    def is_complete(self, name: str) -> bool:
        """Tell whether all snapshots up to the clone's present head are known.

        Raises:
            NotFound: this node has no such clone.
        """
        with self._database.transaction() as session:
            return _is_complete(_clone(session, name))

    def resolve(self, name: str, reference: str) -> Snapshot:
        """Give the snapshot of the clone ``name`` that is meant; its ``commit`` and ``label`` name it for good.

        A reference is ``latest``, ``previous``, a day (its newest snapshot), ``run:17``, a commit or ``commit:label``.

        Raises:
            Invalid: it is no reference, or a commit is cut so short that several begin so.
            NotFound: there is no such snapshot; the nearest are named. Or there is no such clone.
            StillWorking: the index is being made, and may have another answer soon.
        """
        meant = parse(reference)
        with self._database.transaction() as session:
            is_complete = _is_complete(_clone(session, name))
            snapshots = SnapshotRepository(session)
            found = meant.find(snapshots, name) if is_complete or meant.is_lasting else None
            if found is not None:
                return found
            if is_complete:
                raise missing(meant, snapshots, name)
        raise _unfinished(name, meant)


def _clone(session: Session, name: str) -> Clone:
    clones = CloneRepository(session)
    clone = clones.find(name)
    if clone is None:
        known = [known.name for known in clones.list(limit=_KNOWN_CLONES)]
        cure = f"Clone it: maoctl dataset clone {name}"
        raise NotFound(
            f"This node has no clone '{name}', so it does not know its snapshots.", hint=nearest(name, known) or cure
        )
    return clone


def _require_run(session: Session, clone: Clone, run_id: int) -> None:
    """Make sure that a run has brought something, or may still show to have."""
    if SnapshotRepository(session).of_run(clone.name, run_id) is not None:
        return
    RunRepository(session).get(run_id)
    if _is_complete(clone):
        raise NotFound(
            f"Run {run_id} has brought no snapshot to '{clone.name}'.",
            hint=f"Only what a run has committed there is one. `maoctl run get {run_id}` says what became of it.",
        )


def _is_complete(clone: Clone) -> bool:
    if clone.head_commit is None:
        # A repository without commits has no snapshots, and that is all of them.
        return clone.state == CloneState.READY
    return clone.indexed_commit == clone.head_commit


def _unfinished(name: str, meant: Reference) -> StillWorking:
    return StillWorking(
        f"The snapshots of '{name}' are being read, and '{meant.text}' is not certain yet.",
        hint=f"Ask again; `maoctl dataset snapshots {name}` says how far it is.",
    )
