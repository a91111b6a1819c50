"""What runs printed, stored by byte number."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Integer, LargeBinary, bindparam, func, select, text
from sqlalchemy.orm import Session

from app.models.output import OutputChunk

_APPEND = text("""
    insert into run_output (run_id, start_byte, data)
    select id, :start, :data from runs where id = :run_id and agent_epoch = :epoch
    returning run_id
""").bindparams(bindparam("data", type_=LargeBinary))


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

    def has_cut(self, run_id: int) -> bool:
        """Tell whether bytes before the last piece were not kept; there is no other place for a cut."""
        pieces = select(OutputChunk.start_byte, func.length(OutputChunk.data)).where(OutputChunk.run_id == run_id)
        last = list(self._session.execute(pieces.order_by(OutputChunk.start_byte.desc()).limit(2)))
        return len(last) == 2 and last[1][0] + last[1][1] < last[0][0]

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
        for start, data in self._session.execute(chunks.execution_options(yield_per=4)):
            yield start, bytes(data)
