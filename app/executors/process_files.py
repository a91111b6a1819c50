"""The files that a tool of the process backend reads: copies of its own, because nothing keeps it from writing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from app.errors import BackendFailed
from app.models.run import Cause

FILES = "files"
"""The folder, beside those of the attempts, that has a folder of copies for each attempt."""


def place_of(backend_folder: Path, handle: str) -> Path:
    """Give the folder for an attempt's copies, outside the attempt's own, which the tool's user cannot enter."""
    return backend_folder / FILES / handle


def copy_files(folder: Path, files: dict[str, str], user: list[int] | None) -> None:
    """Copy ``files`` (name -> path) into ``folder`` for ``user`` (user and group), or for the agent's own user.

    Raises:
        BackendFailed: with cause ``data_unavailable``: a file cannot be read, or there is no room for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.parent.chmod(0o711)
        for name, source in files.items():
            copy = folder / f".{name}.new"
            shutil.copyfile(source, copy)
            _hand_over(copy, user, 0o400)
            copy.replace(folder / name)
        _hand_over(folder, user, 0o700)
    except OSError as error:
        raise BackendFailed(
            f"A file of the run cannot be copied: {error.strerror}.", cause=Cause.DATA_UNAVAILABLE
        ) from error


def _hand_over(path: Path, user: list[int] | None, mode: int) -> None:
    path.chmod(mode)
    if user is not None:
        os.chown(path, *user)
