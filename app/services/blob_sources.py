"""Contents of a clone, laid out for a comparison in one file that has no name and goes with the process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.compare import Source
from app.errors import BackendFailed
from app.repositories.clone_history import History


@dataclass(frozen=True)
class BlobSources:
    """Where each blob lies in the file with the open ``descriptor``: blob -> offset and size in bytes."""

    descriptor: int
    places: Mapping[str, tuple[int, int]]

    def source(self, path: str, blob: str) -> Source:
        """Give the contents of a blob as the file ``path``."""
        offset, size = self.places[blob]
        return Source(path, Path(f"/dev/fd/{self.descriptor}"), offset, size)


@contextmanager
def blob_sources(history: History, blobs: Iterable[str], most_bytes: int) -> Iterator[BlobSources]:
    """Lay out these blobs, for as long as the block lasts.

    Raises:
        BackendFailed: together they are larger than ``most_bytes``, or the clone does not have one of them.
    """
    sizes = history.sizes(blobs)
    _check(sizes, most_bytes)
    with tempfile.TemporaryFile(prefix="mao-") as file:
        places = {}
        with history.contents() as contents:
            for blob in sizes:
                begin = file.tell()
                contents.copy(blob, file)
                places[blob] = begin, file.tell() - begin
        file.flush()
        yield BlobSources(file.fileno(), places)


def _check(sizes: Mapping[str, int | None], most_bytes: int) -> None:
    if any(size is None for size in sizes.values()):
        raise BackendFailed(
            "The local clone does not have the contents of all files that are to be compared.",
            cause="data_unavailable",
            hint="Register the data set with its full history, and clone it again.",
        )
    if sum(size or 0 for size in sizes.values()) > most_bytes:
        raise BackendFailed(
            f"The files to compare are larger than {most_bytes} bytes together, which is the limit.",
            hint="Compare smaller snapshots, or the files themselves: mao compare A B",
        )
