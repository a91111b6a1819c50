"""What in a work tree cannot become part of a data set, and must not be shown to git."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.folders import LONGEST_PATH, entries


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
    for entry in entries(root, closed=_is_git, too_deep=too_deep.append):
        # Almost every entry is a file or a folder, and there may be very many: the cheap questions come first.
        if _is_git(entry.name):
            if entry.path != own:
                yield Offender(os.path.relpath(entry.path, root), Offence.NESTED_REPOSITORY)
        elif entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
            continue
        elif not entry.is_symlink():
            yield Offender(os.path.relpath(entry.path, root), Offence.SPECIAL_FILE)
        elif len(os.fsencode(entry.path)) >= LONGEST_PATH:
            too_deep.append(entry.path)
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
    try:
        Path(link).stat()
    except OSError as error:
        # Too many links, one behind the other: nobody follows them, and the last of them is looked at by itself.
        if error.errno == errno.ELOOP:
            return False
    try:
        return not Path(os.path.realpath(link)).is_relative_to(root)
    except RecursionError:
        # As many links by way of folders that are not there, which is no accident.
        return True
