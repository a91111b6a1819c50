"""What an interrupted download or removal of a clone leaves: hidden places that nobody is at work in any more."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.folders import disk_bytes, remove_folder
from app.models.names import NAME_PATTERN
from app.repositories.clone_repository import GIT_DIRS, Places

_HIDDEN = re.compile(rf"\.(?:new|gone|gone-refused)-({NAME_PATTERN})")


def abandoned(importdir: Path) -> dict[str, int]:
    """Give the clones of which there are such places, with the bytes in them; a clone that is held is left out."""
    names = {name for folder in (importdir, importdir / GIT_DIRS) for name in _names(folder)}
    places = (Places(importdir, name) for name in sorted(names))
    found = {place.name: sum(map(disk_bytes, _hidden(place))) for place in places if any(_hidden(place))}
    return {name: size for name, size in found.items() if _is_free(importdir / GIT_DIRS / f"{name}.lock")}


def remove(places: Places) -> None:
    """Remove the hidden places of a clone; to be called while its lock is held."""
    for path in (places.new_tree, places.new_git_dir, *places.gone):
        remove_folder(path)


def _names(folder: Path) -> Iterator[str]:
    with suppress(FileNotFoundError):
        yield from (match[1] for path in folder.iterdir() if (match := _HIDDEN.fullmatch(path.name)))


def _hidden(places: Places) -> list[Path]:
    return [path for path in (places.new_tree, places.new_git_dir, *places.gone) if path.exists()]


def _is_free(lock: Path) -> bool:
    """Tell whether nobody holds the lock now; without its file the places are none that we have made."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True
