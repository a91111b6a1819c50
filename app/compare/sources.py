"""Where the bytes of a file come from: a file, a part of one, or memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.compare.options import WrongUse


@dataclass(frozen=True)
class Source:
    """A file to compare: the ``path`` that it is called by, and its bytes.

    ``content`` is a file on disk or the bytes themselves. Of a file only the ``size`` bytes from ``offset`` count, all
    that follow where ``size`` is None.
    """

    path: str
    content: Path | bytes
    offset: int = 0
    size: int | None = None

    @property
    def length(self) -> int:
        """How many bytes there are."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.stat().st_size - self.offset if self.size is None else self.size

    def open(self) -> IO[bytes]:
        """Open the bytes for reading, from their beginning."""
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        stream = self.content.open("rb")
        stream.seek(self.offset)
        return stream

    def blocks(self, size: int) -> Iterator[bytes]:
        """Give the bytes in pieces of at most ``size``."""
        left = self.length
        with self.open() as stream:
            # Not to the end of the file: it may grow while it is read, and what follows may be another's.
            while left > 0 and (block := stream.read(min(size, left))):
                left -= len(block)
                yield block


def of_place(place: Path) -> list[Source]:
    """Give the file ``place``, or the files of the folder ``place`` and of those below it, by their path in it.

    Symbolic links, ``.git`` and what is no plain file are left out.

    Raises:
        WrongUse: there is no such file or folder.
    """
    if place.is_dir():
        files = (path for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink())
        names = ((path, path.relative_to(place)) for path in files)
        return [Source(name.as_posix(), path) for path, name in names if ".git" not in name.parts]
    if place.is_file():
        return [Source(place.name, place)]
    raise WrongUse(f"There is no file or folder '{place}'.")
