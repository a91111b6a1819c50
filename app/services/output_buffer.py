"""A run's output on its way into PostgreSQL: in pieces of a sensible size, each at its byte number."""

from __future__ import annotations

import threading
from collections import deque

from app.errors import WrongState
from app.repositories.database import Database, Session
from app.repositories.outputs import OutputRepository

PIECE_BYTES = 2**20
TAIL_BYTES = 2**20


class OutputBuffer:
    """Takes bytes from the thread that reads them, and stores them from any thread, in order and once.

    Behind the first ``limit_bytes`` less 1 MiB only the last 1 MiB is kept, and stored at the end; the bytes between
    are counted and dropped.
    """

    def __init__(self, database: Database, run_id: int, epoch: int, *, start_byte: int, limit_bytes: int) -> None:
        self._database = database
        self._run_id = run_id
        self._epoch = epoch
        self._lock = threading.Lock()
        self._stored = start_byte
        self._head = bytearray()
        self._head_limit = max(limit_bytes - TAIL_BYTES, 0)
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._cut_bytes = 0
        self._is_cut_counted = True

    @property
    def end(self) -> int:
        """The number of the byte to be taken next, counted from those stored."""
        return self._stored + len(self._head)

    @property
    def taken(self) -> int:
        """The number of the byte behind the last one that was taken, whether it is kept or not."""
        return self.end + self._cut_bytes + self._tail_bytes

    @property
    def cut_bytes(self) -> int:
        """How many bytes were dropped between head and tail; one, where nobody counted them."""
        return self._cut_bytes

    @property
    def warning(self) -> str | None:
        """What the run's record says of the bytes that were dropped, or None where all are kept."""
        if not self._cut_bytes:
            return None
        how_many = f"{self._cut_bytes} bytes" if self._is_cut_counted else "an unknown number of bytes"
        begin = self._stored + len(self._head)
        return f"The output was too long: {how_many} behind its first {begin} are not kept; its end is."

    def add(self, data: bytes) -> None:
        """Take what was printed next; a full piece is stored at once, which holds back a tool that prints too fast."""
        with self._lock:
            room = max(self._head_limit - self._stored - len(self._head), 0)
            self._head += data[:room]
            self._add_to_tail(data[room:])
            is_full = len(self._head) >= PIECE_BYTES
        if is_full:
            self.flush()

    def flush(self) -> None:
        """Store what has come since the last time, in a transaction of its own.

        Raises:
            WrongState: another agent owns the run now.
            AlreadyExists: another agent stored these bytes.
        """
        with self._lock:
            if self._head:
                with self._database.transaction() as session:
                    self._store(session, self._stored, bytes(self._head))
                self._stored += len(self._head)
                self._head.clear()

    def replace_tail(self, data: bytes) -> None:
        """Take the true end from a backend that did not give all that lies before it; nobody has counted that.

        Whether the end lies in what was taken cannot be told from its content: tools repeat themselves.
        """
        with self._lock:
            self._is_cut_counted = False
            if data:
                self._tail, self._tail_bytes = deque([data]), len(data)
                self._cut_bytes = 1

    def close(self) -> list[tuple[int, bytes]]:
        """Take nothing more, and give what is not stored yet as (first byte, bytes).

        It is stored in the transaction that makes the run final.
        """
        with self._lock:
            rest = [(self._stored, bytes(self._head))] if self._head else []
            if self._tail:
                rest.append((self._stored + len(self._head) + self._cut_bytes, b"".join(self._tail)))
            self._head.clear()
            self._tail.clear()
            return rest

    def _store(self, session: Session, start_byte: int, data: bytes) -> None:
        if not OutputRepository(session).append(self._run_id, start_byte, data, epoch=self._epoch):
            raise WrongState(f"Run {self._run_id} belongs to another agent now.")

    def _add_to_tail(self, data: bytes) -> None:
        if not data:
            return
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            dropped = len(self._tail.popleft())
            self._tail_bytes -= dropped
            self._cut_bytes += dropped
