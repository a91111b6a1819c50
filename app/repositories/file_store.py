"""The bytes of the files that were uploaded to runs: one file a row, named by the row's number and by nothing else."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.errors import NotFound, StorageFull, Unavailable

_UNFINISHED = ".upload-"
_OWNER = ".installation"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Received:
    """What has arrived: where it is for now, how many bytes, and the hex digest of them."""

    path: Path
    size_bytes: int
    sha256: str


class FileStore:
    """A folder of uploaded files. It is made when the first one comes, and open to its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def receive(self, pieces: Iterable[bytes]) -> Iterator[Received]:
        """Write what comes, piece by piece, and give it; what is not kept by the end of the block is removed.

        Raises:
            StorageFull: there is no room for it.
            Unavailable: the folder cannot be written to.
        """
        with _writing():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)
        try:
            yield _written(file, Path(name), pieces)
        finally:
            Path(name).unlink(missing_ok=True)

    def keep(self, received: Received, row_id: int) -> None:
        """Make what was received the bytes of a row; they are on the disk when this returns."""
        with _writing():
            received.path.rename(self._folder / str(row_id))
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def path(self, row_id: int, size_bytes: int) -> Path:
        """Give the place of a row's bytes.

        Raises:
            NotFound: they are not there, or not as many as there should be.
        """
        path = self._folder / str(row_id)
        try:
            found = path.lstat().st_size
        except OSError as error:
            raise NotFound(f"Its bytes are not on the disk any more: {error.strerror}.") from error
        if found != size_bytes:
            raise NotFound(f"On the disk it has {found} bytes, and {size_bytes} were uploaded.")
        return path

    def size_bytes(self, row_id: int) -> int:
        """Give how many bytes of a row are there; 0 where none are."""
        try:
            return (self._folder / str(row_id)).lstat().st_size
        except FileNotFoundError:
            return 0

    def remove(self, row_id: int) -> None:
        """Remove a row's bytes; what is absent is no error."""
        (self._folder / str(row_id)).unlink(missing_ok=True)

    def rows(self, before: datetime) -> list[int]:
        """Give the numbers of the rows whose bytes have been here since before that instant."""
        return [int(path.name) for path in self._older(before) if path.name.isdecimal()]

    def remove_unfinished(self, before: datetime) -> None:
        """Remove what is left of uploads that were killed before that instant."""
        for path in self._older(before):
            if path.name.startswith(_UNFINISHED):
                path.unlink(missing_ok=True)

    def belongs_to(self, installation: str) -> bool:
        """Tell whether this is the folder of that installation; one that is nobody's becomes its own."""
        marker = self._folder / _OWNER
        try:
            with suppress(FileExistsError), marker.open("x", encoding="utf-8") as made:
                made.write(installation)
            return marker.read_text(encoding="utf-8") == installation
        except OSError:
            return False

    def _older(self, before: datetime) -> Iterator[Path]:
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime < before.timestamp():
                    yield path


def _written(file: int, path: Path, pieces: Iterable[bytes]) -> Received:
    digest, size_bytes = hashlib.sha256(), 0
    with os.fdopen(file, "wb", buffering=0) as opened:
        for piece in pieces:
            digest.update(piece)
            size_bytes += len(piece)
            with _writing():
                _write_all(opened.fileno(), piece)
        with _writing():
            # The user of a container is none that we know, so the folder above keeps others out and not the file.
            os.fchmod(opened.fileno(), 0o444)
            os.fsync(opened.fileno())
    return Received(path, size_bytes, digest.hexdigest())


def _write_all(file: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("The disk of the uploaded files is full; nothing was stored.") from error
        raise Unavailable(f"The folder of the uploaded files cannot be written to: {error.strerror}.") from error
