"""The agent's side of snapshots: look at every commit that is not known yet, the newest first, in the background.

What is known is told by the rows alone. A batch is stored as a whole or not at all, so that after a kill the next look
finds which commits are still missing; commits that are no longer in the history lose their rows. Rows are written only
while the clone's head is the one that was looked at, so that two agents cannot undo each other's work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.errors import MaoError, Unavailable
from app.repositories.clone_history import BlobFacts, Change, Contents, History
from app.repositories.snapshots import SnapshotRepository, Wanted
from app.services.agent_context import AgentContext
from app.services.control_files import is_control_file
from app.services.snapshot_rows import snapshot_rows

log = logging.getLogger(__name__)
_BATCH_COMMITS = 250
_BATCH_FILES = 5_000
_TURN_SECONDS = 30.0
"""How long one clone is worked on before the next one has its turn."""
_KNOWN_BLOBS = 100_000
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True)
class _Failure:
    """That a clone could not be read, and when it is tried again."""

    pause_seconds: float
    not_before: float


class SnapshotIndexer:
    """Keeps the index of all clones in one term of office."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._failures: dict[Wanted, _Failure] = {}

    def work(self) -> None:
        """Give every clone whose index is not complete a turn. Called by one thread."""
        with self._context.database.transaction() as session:
            everything = SnapshotRepository(session).wanted()
        self._failures = {wanted: self._failures[wanted] for wanted in everything if wanted in self._failures}
        for wanted in everything:
            if self._context.lost.is_set():
                return
            failure = self._failures.get(wanted)
            if failure is None or time.monotonic() >= failure.not_before:
                self._try(wanted)

    def _try(self, wanted: Wanted) -> None:
        try:
            self._index(wanted)
            self._failures.pop(wanted, None)
        except Unavailable:
            raise
        except MaoError as error:
            self._note_failure(wanted)
            log.warning("The snapshots of %s could not be read: %s", wanted.clone, error.message)
        except Exception:
            # What one repository holds must not keep the others from being read.
            self._note_failure(wanted)
            log.exception("The snapshots of %s could not be read", wanted.clone)

    def _note_failure(self, wanted: Wanted) -> None:
        """Put the clone back, which may be gone or broken: it is looked at again, more and more rarely."""
        before = self._failures.get(wanted)
        pause = min(2 * before.pause_seconds, _LONGEST_PAUSE_SECONDS) if before else _FIRST_PAUSE_SECONDS
        self._failures[wanted] = _Failure(pause, time.monotonic() + pause)

    def _index(self, wanted: Wanted) -> None:
        end = time.monotonic() + _TURN_SECONDS
        history = self._context.workdirs.history(wanted.clone)
        commits = history.commits(wanted.head)
        positions = dict(zip(commits, range(len(commits), 0, -1), strict=True))
        missing = self._missing(wanted, positions)
        if missing is None:
            return
        for rows in _batches_of_rows(history, missing, positions):
            with self._context.database.repeatable_transaction() as session:
                snapshots = SnapshotRepository(session)
                if not snapshots.hold(wanted):
                    return
                snapshots.add([{"clone": wanted.clone, **row} for row in rows])
            if self._context.lost.is_set() or time.monotonic() > end:
                return
        with self._context.database.transaction() as session:
            SnapshotRepository(session).note_complete(wanted)

    def _missing(self, wanted: Wanted, positions: Mapping[str, int]) -> list[str] | None:
        """Forget the commits that have left the history, and give those to look at; None where the clone moved on."""
        with self._context.database.transaction() as session:
            snapshots = SnapshotRepository(session)
            if not snapshots.hold(wanted):
                return None
            known = snapshots.positions(wanted.clone)
            gone = [commit for commit, position in known.items() if positions.get(commit) != position]
            snapshots.remove(wanted.clone, gone)
        return [commit for commit, position in positions.items() if known.get(commit) != position]


def _batches_of_rows(
    history: History, commits: Sequence[str], positions: Mapping[str, int]
) -> Iterator[list[dict[str, object]]]:
    if not commits:
        return
    known: dict[str, BlobFacts] = {}
    with history.contents() as contents:
        for batch in _batches(history.changes(commits)):
            _look_into(contents, batch, known)
            yield [
                {"position": positions[change.commit], **row}
                for change in batch
                for row in snapshot_rows(change, known)
            ]


def _batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    batch: list[Change] = []
    files = 0
    for change in changes:
        batch.append(change)
        files += len(change.files)
        if len(batch) >= _BATCH_COMMITS or files >= _BATCH_FILES:
            yield batch
            batch, files = [], 0
    if batch:
        yield batch


def _look_into(contents: Contents, batch: Sequence[Change], known: dict[str, BlobFacts]) -> None:
    """Read what of this batch is not known yet; the same content is common in a history, and is read once."""
    files = [file for change in batch for file in change.files]
    with_head = {file.blob for file in files if is_control_file(file.path)}
    if len(known) > _KNOWN_BLOBS:
        known.clear()
    unread = dict.fromkeys(
        file.blob
        for file in files
        if file.blob not in known or (file.blob in with_head and known[file.blob].head is None)
    )
    known.update(contents.facts(unread, with_head))
