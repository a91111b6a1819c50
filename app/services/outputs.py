"""What runs printed: read in pieces, from the end, or as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from app.errors import Busy, DatabaseDown, Gone
from app.models.run import FINAL, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database, Session
from app.repositories.listener import RunChanges
from app.repositories.outputs import OutputRepository, Progress
from app.repositories.runs import RunRepository

_TAIL_BYTES = 2**20
_PIECE_BYTES = 2**20
_POLL_SECONDS = 0.5
_QUIET_SECONDS = 10.0
_LONGEST_SECONDS = 3600.0
"""After this a stream ends and is asked for again, so that a token that was revoked does not go on reading for days."""


@dataclass(frozen=True)
class OutputPage:
    """A piece of a run's output: its bytes, the number of the first and of the next one, and how many there are.

    ``cuts`` are the bytes of the whole output that were not kept, as (the first one's number, the number behind the
    last one).
    """

    data: bytes
    first_byte: int
    next_byte: int
    total_bytes: int
    cuts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Bytes of an output, and the number of the first one."""

    first_byte: int
    data: bytes


@dataclass(frozen=True)
class Cut:
    """Bytes that were not kept: the first one's number, and the number behind the last one."""

    first_byte: int
    next_byte: int


@dataclass(frozen=True)
class End:
    """The run is final and its output was given to the end."""

    status: RunStatus
    cause: str | None
    next_byte: int


Step = Piece | Cut | End | None
"""What comes next in an output that is followed; None says that nothing has come for a while."""


class OutputService:
    """One public method a use case. An identity without an ``_any`` permission reaches its owner's runs only."""

    def __init__(self, database: Database, changes: RunChanges) -> None:
        self._database = database
        self._changes = changes

    def read(self, identity: Identity, run_id: int, start_byte: int, limit_bytes: int) -> OutputPage:
        """Give stored output from ``start_byte`` on; a page never spans bytes that were not kept.

        Raises:
            NotFound: there is no such run in reach.
            Gone: its output was removed.
        """
        with self._database.reading_transaction() as session:
            _check(session, identity, run_id)
            first, data = OutputRepository(session).read(run_id, start_byte, limit_bytes)
            return _page(session, run_id, first, data)

    def tail(self, identity: Identity, run_id: int, lines: int) -> OutputPage:
        """Give the last lines, at most 1 MiB of them; the errors are those of ``read``."""
        with self._database.reading_transaction() as session:
            _check(session, identity, run_id)
            first, data = OutputRepository(session).tail(run_id, lines, _TAIL_BYTES)
            return _page(session, run_id, first, data)

    def follow(self, identity: Identity, run_id: int, start_byte: int) -> OutputStream:
        """Give the output from ``start_byte`` on as it comes, to be closed by the caller; errors as for ``read``.

        Raises:
            Busy: as many wait for runs or follow them as this process has threads to spare.
        """
        with self._database.transaction() as session:
            _check(session, identity, run_id)
        changed = self._changes.take_place(run_id)
        if changed is None:
            raise Busy(
                "This process of the API follows and waits for as many runs as it can.",
                hint="Try again in a few seconds, or read the output from its offset on.",
            )
        return OutputStream(self._database, run_id, start_byte, changed, lambda: self._changes.leave(run_id, changed))


class OutputStream:
    """A run's output as it comes: iterate over it, then close it."""

    def __init__(
        self, database: Database, run_id: int, start_byte: int, changed: threading.Event, leave: Callable[[], None]
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._position = start_byte
        self._changed = changed
        self.close = leave

    def __iter__(self) -> Iterator[Step]:
        """Give what is stored and then what comes, until the run is final or an hour is over.

        A database that is away for a moment only makes it wait.
        """
        over_at = time.monotonic() + _LONGEST_SECONDS
        said_at = time.monotonic()
        while time.monotonic() < over_at:
            progress = self._progress()
            if progress is not None and progress.next_byte > self._position:
                yield from self._stored()
                said_at = time.monotonic()
            elif progress is not None and progress.status in FINAL:
                yield End(progress.status, progress.cause, self._position)
                return
            else:
                self._changed.wait(_POLL_SECONDS)
                self._changed.clear()
            if time.monotonic() - said_at >= _QUIET_SECONDS:
                yield None
                said_at = time.monotonic()

    def _progress(self) -> Progress | None:
        with suppress(DatabaseDown), self._database.transaction() as session:
            return OutputRepository(session).progress(self._run_id)
        return None

    def _stored(self) -> Iterator[Piece | Cut]:
        with suppress(DatabaseDown):
            with self._database.transaction() as session:
                first, data = OutputRepository(session).read(self._run_id, self._position, _PIECE_BYTES)
            if first > self._position:
                yield Cut(self._position, first)
            if data:
                yield Piece(first, data)
            self._position = first + len(data)


def _check(session: Session, identity: Identity, run_id: int) -> Run:
    run = RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_READ_ANY))
    if run.output_removed_at is not None:
        raise Gone(
            f"The output of run {run_id} was removed on {run.output_removed_at:%Y-%m-%d}: its time was over.",
            hint="The run's report has its last lines. The server's section RETENTION says how long output is kept.",
        )
    return run


def _page(session: Session, run_id: int, first_byte: int, data: bytes) -> OutputPage:
    outputs = OutputRepository(session)
    cuts = tuple(outputs.cuts(run_id))
    return OutputPage(data, first_byte, first_byte + len(data), outputs.end(run_id), cuts)
