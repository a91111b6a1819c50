"""What runs printed, stored by byte number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Integer, LargeBinary, bindparam, func, select, text
from sqlalchemy.orm import Session

from app.models.output import OutputChunk
from app.models.run import RunStatus

_MOST_PIECES_AT_ONCE = 64
_APPEND = text("""
    insert into run_output (run_id, start_byte, data)
    select id, :start, :data from runs where id = :run_id and agent_epoch = :epoch
    returning run_id
""").bindparams(bindparam("data", type_=LargeBinary))


# An attempt ends where the next one begins; its last piece is the tail that was kept of it.
_CUTS = text("""
    with bounds as (
        select first_byte as stop from run_attempts where run_id = :run_id and first_byte > 0
        union select output_base from runs where id = :run_id and output_base > 0
        union select 9223372036854775807
    )
    select coalesce(ahead.stop, 0) as first, last.start_byte as stop from bounds
      join lateral (
          select start_byte from run_output where run_id = :run_id and start_byte < bounds.stop
           order by start_byte desc limit 1
      ) as last on true
      left join lateral (
          select start_byte + length(data) as stop from run_output
           where run_id = :run_id and start_byte < last.start_byte order by start_byte desc limit 1
      ) as ahead on true
     where coalesce(ahead.stop, 0) < last.start_byte order by 1
""")
_PROGRESS = text("""
    select status, cause, coalesce((
        select start_byte + length(data) from run_output where run_id = runs.id order by start_byte desc limit 1
    ), 0) as stop from runs where id = :run_id
""")


@dataclass(frozen=True)
class Progress:
    """Where a run stands, and the number of the byte behind the last one that is stored."""

    status: RunStatus
    cause: str | None
    next_byte: int


@dataclass(frozen=True)
class StoredOutput:
    """What is stored of a run's output: how many bytes, their SHA-256 in hex, and whether others were not kept."""

    size_bytes: int
    sha256: str
    is_cut: bool


class OutputRepository:
    """Queries about output, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, run_id: int, start_byte: int, data: bytes, *, epoch: int) -> bool:
        """Store a piece; give whether this agent's epoch owns the run.

        Raises:
            AlreadyExists: the piece is stored already (when the statement is executed).
        """
        values = {"run_id": run_id, "start": start_byte, "data": data, "epoch": epoch}
        return self._session.execute(_APPEND, values).first() is not None

    def end(self, run_id: int) -> int:
        """Give the number of the byte behind the last one stored."""
        last = (
            select(OutputChunk.start_byte + func.length(OutputChunk.data))
            .where(OutputChunk.run_id == run_id)
            .order_by(OutputChunk.start_byte.desc())
            .limit(1)
        )
        return self._session.scalar(last) or 0

    def progress(self, run_id: int) -> Progress | None:
        """Give where a run and its output stand, seen at one moment, or None where there is no such run."""
        row = self._session.execute(_PROGRESS, {"run_id": run_id}).first()
        return Progress(RunStatus(row.status), row.cause, row.stop) if row else None

    def cuts(self, run_id: int) -> list[tuple[int, int]]:
        """Give the bytes that were not kept, as (the first one's number, the number behind the last one), in order.

        They lie before the last piece of an attempt; there is no other place for a cut.
        """
        return [(first, stop) for first, stop in self._session.execute(_CUTS, {"run_id": run_id})]

    def digest(self, run_id: int) -> StoredOutput:
        """Read all that is stored of an output, a piece at a time, and give its size and digest."""
        digest, size, end = hashlib.sha256(), 0, 0
        for start, data in self._chunks_from(run_id, 0):
            digest.update(data)
            size += len(data)
            end = start + len(data)
        return StoredOutput(size, digest.hexdigest(), is_cut=end > size)

    def read(self, run_id: int, start_byte: int, limit_bytes: int) -> tuple[int, bytes]:
        """Give stored bytes from ``start_byte`` on, and the number of the first one given.

        That number is larger than ``start_byte`` where the bytes between were cut; a piece of the answer ends before
        such a cut.
        """
        found = bytearray()
        first: int | None = None
        for start, data in self._chunks_from(run_id, start_byte):
            piece = data[max(0, start_byte - start) :]
            at = max(start, start_byte)
            if first is None:
                first = at
            elif at != first + len(found):
                break
            found += piece[: limit_bytes - len(found)]
            if len(found) >= limit_bytes:
                break
        return (start_byte if first is None else first), bytes(found)

    def tail(self, run_id: int, lines: int, limit_bytes: int) -> tuple[int, bytes]:
        """Give the last lines, at most ``limit_bytes`` of them, and the number of the first byte given."""
        end = self.end(run_id)
        start, data = self.read_last(run_id, end, limit_bytes)
        at = len(data)
        for _ in range(lines + (1 if data.endswith(b"\n") else 0)):
            at = data.rfind(b"\n", 0, at)
            if at < 0:
                return start, data
        return start + at + 1, data[at + 1 :]

    def read_last(self, run_id: int, end: int, limit_bytes: int) -> tuple[int, bytes]:
        """Give the stored bytes that lie together before ``end``, at most ``limit_bytes``."""
        start, data = self.read(run_id, max(0, end - limit_bytes), limit_bytes)
        while start + len(data) < end:
            start, data = self.read(run_id, start + len(data), limit_bytes)
        return start, data

    def _chunks_from(self, run_id: int, start_byte: int) -> Iterator[tuple[int, bytes]]:
        first = select(func.max(OutputChunk.start_byte)).where(
            OutputChunk.run_id == run_id, OutputChunk.start_byte <= start_byte
        )
        chunks = (
            select(OutputChunk.start_byte, OutputChunk.data)
            .where(
                OutputChunk.run_id == run_id,
                OutputChunk.start_byte >= func.coalesce(first.scalar_subquery(), 0, type_=Integer),
                OutputChunk.start_byte + func.length(OutputChunk.data) > start_byte,
            )
            .order_by(OutputChunk.start_byte)
        )
        # Past the ORM, which fetches many rows before it gives one. So the first piece comes alone, and more come
        # together only where they are small.
        options = {"stream_results": True, "max_row_buffer": _MOST_PIECES_AT_ONCE}
        with self._session.connection().execute(chunks, execution_options=options) as rows:
            for start, data in rows:
                yield start, bytes(data)
