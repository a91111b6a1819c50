"""Take away from two sides what both have, byte by byte, and hand on what is left.

Most rows of two snapshots are the same bytes in about the same order, and such rows need no parsing. So both sides are
read in step; a row that is not like its neighbour waits until its equal comes by. The memory that is needed grows with
what differs and with how far rows have moved, not with the files. Where it is too much, the rows that wait go to
files on disk, parted by their keys, and each part is worked through by itself.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

Row = tuple[int, bytes]
"""The number of a record in its file, and its bytes."""

KeyOf = Callable[[bytes], Hashable]
"""Gives the key of a record: rows of the same key are what belongs together in the end."""

_PARTS = 32
_MAX_DEPTH = 3
_ROW_BYTES = 170
"""About what a row that waits takes beside its bytes."""
_FRAME = struct.Struct("<QI")


class Waiting:
    """The rows of one side whose equal has not come by yet."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}
        self._more: dict[bytes, list[int]] = {}
        self.bytes = 0

    def add(self, row: Row) -> None:
        """Let a row wait."""
        number, record = row
        if record in self._first:
            self._more.setdefault(record, []).append(number)
        else:
            self._first[record] = number
        self.bytes += len(record) + _ROW_BYTES

    def take(self, record: bytes) -> bool:
        """Take away one row that is equal to ``record``; tell whether there was one."""
        if record not in self._first:
            return False
        if others := self._more.get(record):
            others.pop()
        else:
            del self._first[record]
        self.bytes -= len(record) + _ROW_BYTES
        return True

    def drained(self) -> Iterator[Row]:
        """Give all rows and forget them."""
        first, more = self._first, self._more
        self._first, self._more, self.bytes = {}, {}, 0
        for record, number in first.items():
            yield number, record
        for record, numbers in more.items():
            yield from ((number, record) for number in numbers)


@dataclass(frozen=True)
class Limits:
    """How much may wait in memory, in bytes, and how deep parts of parts may go."""

    memory_bytes: int
    depth: int = 0


def unmatched(
    old: Iterator[Row], new: Iterator[Row], key_of: KeyOf, limits: Limits
) -> Iterator[tuple[list[Row], list[Row]]]:
    """Give the rows that only one side has, once for each time that it has them more often than the other.

    They come in parts (one, where the memory suffices); all rows of a key are in the same part.
    """
    waiting = Waiting(), Waiting()
    with ExitStack() as stack:
        spill: _Spill | None = None
        for _ in _steps(old, new, waiting, limits.memory_bytes):
            if limits.depth < _MAX_DEPTH:
                spill = spill or stack.enter_context(_Spill(key_of, limits.depth))
                spill.take_over(waiting)
        if spill is None:
            yield list(waiting[0].drained()), list(waiting[1].drained())
            return
        spill.take_over(waiting)
        deeper = Limits(limits.memory_bytes, limits.depth + 1)
        for old_part, new_part in spill.parts():
            yield from unmatched(old_part, new_part, key_of, deeper)


def _steps(old: Iterator[Row], new: Iterator[Row], waiting: tuple[Waiting, Waiting], limit: int) -> Iterator[None]:
    """Read both sides to their ends; stop whenever more waits than ``limit`` bytes."""
    old_waiting, new_waiting = waiting
    ours, theirs = next(old, None), next(new, None)
    while ours and theirs:
        if ours[1] == theirs[1]:
            ours, theirs = next(old, None), next(new, None)
        # Only the side that has found its equal goes on, so that both are in step again after rows of one side only.
        elif new_waiting.take(ours[1]):
            ours = next(old, None)
        elif old_waiting.take(theirs[1]):
            theirs = next(new, None)
        else:
            old_waiting.add(ours)
            new_waiting.add(theirs)
            ours, theirs = next(old, None), next(new, None)
            if old_waiting.bytes + new_waiting.bytes > limit:
                yield
    yield from _ends(_with_first(ours, old), old_waiting, new_waiting, limit)
    yield from _ends(_with_first(theirs, new), new_waiting, old_waiting, limit)
    # What is left will be parsed and put together by keys, which takes more than waiting does.
    if old_waiting.bytes + new_waiting.bytes > limit // 2:
        yield


def _with_first(first: Row | None, rows: Iterator[Row]) -> Iterator[Row]:
    if first:
        yield first
        yield from rows


def _ends(rows: Iterable[Row], same: Waiting, other: Waiting, limit: int) -> Iterator[None]:
    for row in rows:
        if not other.take(row[1]):
            same.add(row)
            if same.bytes + other.bytes > limit:
                yield


class _Spill:
    """Rows that wait on disk, in files that have no name and so go with the process, whatever ends it."""

    def __init__(self, key_of: KeyOf, depth: int) -> None:
        self._key_of = key_of
        self._depth = depth
        self._stack = ExitStack()
        self._files: tuple[dict[int, IO[bytes]], dict[int, IO[bytes]]] = ({}, {})

    def __enter__(self) -> _Spill:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take_over(self, waiting: tuple[Waiting, Waiting]) -> None:
        """Write down all that waits."""
        for side, files in zip(waiting, self._files, strict=True):
            for number, record in side.drained():
                # Another depth parts the same keys in another way.
                part = hash((self._depth, self._key_of(record))) % _PARTS
                if part not in files:
                    file = tempfile.TemporaryFile(prefix="mao-")  # noqa: SIM115 (The stack closes it.)
                    files[part] = self._stack.enter_context(file)
                files[part].write(_FRAME.pack(number, len(record)))
                files[part].write(record)

    def parts(self) -> Iterator[tuple[Iterator[Row], Iterator[Row]]]:
        """Give the rows of both sides, part by part."""
        old, new = self._files
        for part in sorted(old.keys() | new.keys()):
            yield _read_back(old.get(part)), _read_back(new.get(part))


def _read_back(file: IO[bytes] | None) -> Iterator[Row]:
    if file is None:
        return
    file.seek(0)
    while frame := file.read(_FRAME.size):
        number, size = _FRAME.unpack(frame)
        yield number, file.read(size)
    # What was read is not needed any more; the disk is free before the next part is written again.
    file.truncate(0)
