"""The folder of one attempt: what the process backend and the wrapper around the tool tell each other.

==============  ======================================================================================
request.json    what to run; its presence makes the attempt exist
started.json    the wrapper that took the attempt; made by a link, which only one wrapper can win
tool.json       the tool's process, where it could be started
output          what the tool printed
exit.json       how it ended; its presence makes the attempt over
wrapper.log     what the wrapper itself had to complain about
==============  ======================================================================================

The wrapper imports this, so it needs the standard library only, and app.folders, which needs no more.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.folders import remove_folder

REQUEST = "request.json"
STARTED = "started.json"
TOOL = "tool.json"
OUTPUT = "output"
EXIT = "exit.json"
WRAPPER_LOG = "wrapper.log"
WORK = "work"


def read(path: Path) -> dict[str, Any] | None:
    """Give the values in a file, or None where there is no such file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path: Path, values: dict[str, Any]) -> None:
    """Put the file there with all of its content, or not at all."""
    _staged(path, values).replace(path)


def claim(path: Path, values: dict[str, Any]) -> bool:
    """Put the file there with all of its content unless it exists; tell whether we made it."""
    staged = _staged(path, values)
    try:
        path.hardlink_to(staged)
    except FileExistsError:
        return False
    finally:
        staged.unlink()
    return True


def remove(folder: Path) -> None:
    """Remove an attempt's folder; what is absent is no error.

    What makes the attempt exist goes last, so that a removal that was cut short is found and done again.

    Raises:
        OSError: the system refuses.
    """
    with suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            if path.name not in (REQUEST, STARTED):
                remove_folder(path)
    remove_folder(folder / STARTED)
    remove_folder(folder)


def _staged(path: Path, values: dict[str, Any]) -> Path:
    staged = path.with_name(f"{path.name}.{threading.get_native_id()}.new")
    with staged.open("w", encoding="utf-8") as file:
        json.dump(values, file)
        file.flush()
        os.fsync(file.fileno())
    return staged
