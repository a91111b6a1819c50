"""Folders that strangers fill: what is in them, how large they are, and how they go. No link is ever followed.

Standard library only, since every floor may use it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LONGEST_PATH = 4096
"""Bytes of a path that Linux takes, the final zero included."""

_BLOCK_BYTES = 512
_LEAST_BYTES = 4096


def entries(
    top: str, *, closed: Callable[[str], bool] = lambda _: False, too_deep: Callable[[str], None] = lambda _: None
) -> Iterator[os.DirEntry[str]]:
    """Give everything below ``top``, but for what is below a folder with a ``closed`` name; a vanished folder is empty.

    A folder whose path is longer than the system takes is told to ``too_deep`` and left out.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                inside = list(found)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            too_deep(folder)
            continue
        for entry in inside:
            yield entry
            if entry.is_dir(follow_symlinks=False) and not closed(entry.name):
                waiting.append(entry.path)


def disk_bytes(folder: Path) -> int:
    """Give the bytes that a folder takes. An entry counts for 4096 at least, and for its length where that is more.

    Room alone would not do: a file system gives it late, or never to zeros.
    """
    total = 0
    for entry in entries(str(folder)):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            total += _LEAST_BYTES
        else:
            total += max(_LEAST_BYTES, status.st_size, status.st_blocks * _BLOCK_BYTES)
    return total


def remove_folder(path: Path) -> None:
    """Remove a folder of any depth, a file or a link; what is absent is no error, and no folder is too read-only.

    Raises:
        OSError: the system refuses.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    removal = _Removal(path)
    try:
        removal.work()
    finally:
        removal.close()


@dataclass
class _Level:
    """A folder on the way down: what it is known by, and the names of the folders in it that are still there."""

    identity: tuple[int, int]
    waiting: list[str]


class _Removal:
    """Removes a folder with one open at a time, each found from the one above or below it.

    Folders can be deeper than the longest path, than Python's stack, and than the number of files that may be open.
    """

    def __init__(self, path: Path) -> None:
        self._here = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        self._levels = [_Level(self._identity(), [path.name])]

    def work(self) -> None:
        while self._levels[0].waiting:
            level = self._levels[-1]
            if not level.waiting:
                self._go_up()
            elif not self._go_down(level.waiting[-1]):
                level.waiting.pop()

    def close(self) -> None:
        os.close(self._here)

    def _go_down(self, name: str) -> bool:
        """Go into a folder and remove its files; give False where it is gone."""
        try:
            self._go(name)
        except FileNotFoundError:
            return False
        except PermissionError:
            os.chmod(name, stat.S_IRWXU, dir_fd=self._here)
            self._go(name)
        os.fchmod(self._here, stat.S_IRWXU)
        with os.scandir(self._here) as found:
            inside = list(found)
        for entry in inside:
            if not entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    os.unlink(entry.name, dir_fd=self._here)
        folders = [entry.name for entry in inside if entry.is_dir(follow_symlinks=False)]
        self._levels.append(_Level(self._identity(), folders))
        return True

    def _go_up(self) -> None:
        """Leave a folder that is empty now, and remove it."""
        self._go("..")
        self._levels.pop()
        level = self._levels[-1]
        # Whoever moves a folder while it is removed must not lead us into another one.
        if self._identity() != level.identity:
            raise OSError(errno.ESTALE, "A folder was moved while it was removed")
        try:
            self._remove(level.waiting[-1])
        except PermissionError:
            os.fchmod(self._here, stat.S_IRWXU)
            self._remove(level.waiting[-1])
        level.waiting.pop()

    def _go(self, name: str) -> None:
        there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._here)
        os.close(self._here)
        self._here = there

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=self._here)

    def _identity(self) -> tuple[int, int]:
        status = os.fstat(self._here)
        return status.st_dev, status.st_ino
