"""A piece of a run's output as the server gives it, and what is missing in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """Bytes that the server has not kept, by the numbers of the first and of the last one."""

    first: int
    last: int

    @property
    def sentence(self) -> str:
        """Say what is missing; a single number stands for bytes that nobody counted."""
        if self.first == self.last:
            return f"Output is missing here: what followed byte {self.first} was not kept, and nobody counted it."
        return f"Output is missing here: {self.last - self.first + 1} bytes from {self.first} on were not kept."


@dataclass(frozen=True)
class OutputPiece:
    """Bytes of an output: the number of the first that was asked for, where to read on, and the cuts of the whole."""

    data: bytes
    first: int
    following: int
    cuts: tuple[Cut, ...]

    def parts(self) -> Iterator[bytes | Cut]:
        """Give the bytes, and each cut where its bytes would have been."""
        at, rest = self.first, self.data
        for cut in self.cuts:
            if cut.last < at or cut.first >= self.following:
                continue
            before, rest = rest[: max(0, cut.first - at)], rest[max(0, cut.first - at) :]
            if before:
                yield before
            yield cut
            at = cut.last + 1
        if rest:
            yield rest


def output_piece(data: bytes, headers: Mapping[str, str], asked: int | None) -> OutputPiece:
    """Read an answer's headers; ``asked`` is the offset that was asked for, None where it was the end."""
    following = headers.get("X-Next-Offset", "")
    behind = int(following) if following.isdecimal() else (asked or 0) + len(data)
    cuts = re.findall(r"([0-9]+)-([0-9]+)", headers.get("X-Cut", ""))
    first = behind - len(data) if asked is None else asked
    return OutputPiece(data, first, behind, tuple(Cut(int(first), int(last)) for first, last in cuts))
