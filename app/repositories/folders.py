"""Folders that strangers fill: what is in them, how large they are, and how they go. No link is ever followed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 512
_LEAST_BYTES = 4096


class Offence(StrEnum):
    """Why an entry of a work tree cannot become part of a data set."""

    NESTED_REPOSITORY = "a git repository inside the data set"
    LEAVING_LINK = "a link that leaves the data set"
    SPECIAL_FILE = "a pipe, socket or device"
    TOO_DEEP = "a folder that is too deep for this machine"


@dataclass(frozen=True)
class Offender:
    """An entry that cannot become part of a data set; ``path`` is relative to the work tree."""

    path: str
    offence: Offence


def offenders(tree: Path) -> Iterator[Offender]:
    """Find what git must not be shown. The top ``.git`` is left out: it is git's own."""
    root = os.path.realpath(tree)
    own = str(Path(root, ".git"))
    too_deep: list[str] = []
    for entry in _entries(root, is_git_closed=True, too_deep=too_deep.append):
        # Almost every entry is a file or a folder, and there may be very many: the cheap questions come first.
        if _is_git(entry.name):
            if entry.path != own:
                yield Offender(os.path.relpath(entry.path, root), Offence.NESTED_REPOSITORY)
        elif entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
            continue
        elif not entry.is_symlink():
            yield Offender(os.path.relpath(entry.path, root), Offence.SPECIAL_FILE)
        elif _is_leaving(entry.path, root):
            yield Offender(os.path.relpath(entry.path, root), Offence.LEAVING_LINK)
    # What has a path that is too long can be named, and moved, only by the folder at its top.
    for name in sorted({Path(os.path.relpath(path, root)).parts[0] for path in too_deep}):
        yield Offender(name, Offence.TOO_DEEP)


def _is_git(name: str) -> bool:
    return name.lower() == ".git"


def _is_leaving(link: str, root: str) -> bool:
    # An absolute target means another place in every clone and container, even where it lies inside this one.
    if Path(link).readlink().is_absolute():
        return True
    return not Path(os.path.realpath(link)).is_relative_to(root)


def _entries(
    top: str, *, is_git_closed: bool = False, too_deep: Callable[[str], None] = lambda _: None
) -> Iterator[os.DirEntry[str]]:
    """Give everything below ``top``, on wish nothing below a folder called ``.git``; a vanished folder is empty.

    A folder whose path is longer than the system takes is told to ``too_deep`` and left out.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            too_deep(folder)
            continue
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False) and not (is_git_closed and _is_git(entry.name)):
                waiting.append(entry.path)


def disk_bytes(folder: Path) -> int:
    """Give the bytes that a folder takes. An entry counts for 4096 at least, and for its length where that is more.

    Room alone would not do: a file system gives it late, or never to zeros.
    """
    total = 0
    for entry in _entries(str(folder)):
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
    """Remove a folder, a file or a link, also where a folder in it was made read-only; what is absent is no error."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, onerror=_once_more)


def _once_more(remove: Callable[..., Any], path: str, _: Any) -> None:
    if not os.path.lexists(path):
        return
    parent = Path(path).parent
    parent.chmod(stat.S_IRWXU)
    if remove in (os.rmdir, os.unlink):
        remove(path)
        return
    Path(path).chmod(stat.S_IRWXU)
    shutil.rmtree(path)
