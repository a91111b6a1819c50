"""The files that `mao up` keeps in its instance folder: who runs it, and how the command line reaches it."""

from __future__ import annotations

import configparser
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.errors import Locked

PID_NAME = "mao.pid"
CONNECTION_NAME = "maoctl.ini"
_SECTION = "maoctl"
_READY = "ready"


@dataclass(frozen=True)
class Connection:
    """Where the API is and the root token for it."""

    url: str
    token: str


class Claim:
    """The right to run one instance, held by this process."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._file.truncate(0)
        self._add(str(os.getpid()))

    def mark_ready(self) -> None:
        """Tell those who ask by `is_ready` that everything is up."""
        self._add(_READY)

    def _add(self, word: str) -> None:
        self._file.write(f"{word}\n")
        self._file.flush()


@contextmanager
def claimed(instance: Path) -> Iterator[Claim]:
    """Hold this instance for as long as the block runs, so that it is never started twice.

    The claim is a lock on the pid file and not the file itself: the kernel takes it back from a process that was
    killed, so nothing stale can stand in the way of the next start.

    Raises:
        Locked: another process holds it.
    """
    instance.mkdir(parents=True, exist_ok=True)
    with (instance / PID_NAME).open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Locked(
                f"{instance} is in use by `mao up`, process {running_pid(instance)}.",
                hint=f"Stop it with: mao down --instance {instance}",
            ) from error
        try:
            yield Claim(file)
        finally:
            file.truncate(0)


def running_pid(instance: Path) -> int | None:
    """Give the process that holds this instance, or None where nobody does."""
    lines = _claim_of(instance)
    return int(lines[0]) if lines else None


def was_killed(instance: Path) -> bool:
    """Tell whether the last process that held this instance ended without cleaning up."""
    file = instance / PID_NAME
    return running_pid(instance) is None and file.exists() and file.stat().st_size > 0


def is_ready(instance: Path) -> bool:
    """Tell whether the process that holds this instance has everything up."""
    return _READY in _claim_of(instance)


def _claim_of(instance: Path) -> list[str]:
    try:
        with (instance / PID_NAME).open(encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().split()
    except FileNotFoundError:
        pass
    return []


def read_connection(instance: Path) -> Connection | None:
    """Give what the command line of this instance uses, or None before the first start."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(instance / CONNECTION_NAME, encoding="utf-8")
    if not parser.has_section(_SECTION):
        return None
    return Connection(parser.get(_SECTION, "url", fallback=""), parser.get(_SECTION, "token", fallback=""))


def write_connection(instance: Path, connection: Connection) -> None:
    """Write it readable by this user only, in one step."""
    parser = configparser.ConfigParser(interpolation=None)
    parser[_SECTION] = {"url": connection.url, "token": connection.token}
    unfinished = instance / f".{CONNECTION_NAME}.new"
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600, exist_ok=False)
    with unfinished.open("w", encoding="utf-8") as file:
        parser.write(file)
    unfinished.replace(instance / CONNECTION_NAME)
