"""Bring files from the server to this machine: all of one or nothing, and never over another one unasked."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from cli.endpoints import Server
from cli.errors import ServerFailed, WrongUse


def opened(path: Path) -> BinaryIO:
    """Open a file of this machine for reading.

    Raises:
        WrongUse: it cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise WrongUse(f"'{path}' cannot be read: {error.strerror}.") from error


def target_of(name: str, place: Path | None) -> Path:
    """Give the path for a file of that name: ``place``, or below it where it is a folder.

    Raises:
        WrongUse: the name is a path.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise WrongUse(f"'{name}' is not the name of a file.", hint="`maoctl run files` lists the names.")
    if place is None:
        return Path(name)
    return place / name if place.is_dir() else place


def check_target(target: Path) -> None:
    """Let a path pass where nothing is yet.

    Raises:
        WrongUse: there is something.
    """
    if os.path.lexists(target):
        raise _taken(target)


def fetch(server: Server, run_id: int, name: str, target: Path, *, force: bool) -> int:
    """Put a file of a run at ``target`` and give its size in bytes; what did not arrive whole is not put there.

    Raises:
        WrongUse: the place cannot be written to, or something is there now and ``force`` is not given.
        ServerFailed: other bytes arrived than those that were uploaded.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".maoctl-", dir=target.parent) as folder:
            arrived = Path(folder, "file")
            size = _receive(server, run_id, name, arrived)
            if force:
                arrived.replace(target)
            else:
                # Unlike a renaming, this never replaces what somebody has put there meanwhile.
                target.hardlink_to(arrived)
            return size
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        raise WrongUse(f"'{target}' cannot be written: {error.strerror}.") from error


def _receive(server: Server, run_id: int, name: str, place: Path) -> int:
    digest, size = hashlib.sha256(), 0
    wanted, pieces = server.download_file(run_id, name)
    with place.open("xb") as arriving:
        for piece in pieces:
            digest.update(piece)
            size += arriving.write(piece)
    if wanted and digest.hexdigest() != wanted:
        raise ServerFailed("Other bytes arrived than those that were uploaded.", hint="Try it again.")
    return size


def _taken(target: Path) -> WrongUse:
    return WrongUse(f"'{target}' exists.", hint="Name another place with --to, or replace it with --force.")
