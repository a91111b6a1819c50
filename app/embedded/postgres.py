"""PostgreSQL as a child process: loopback TCP only, with a password, durable unless a test says otherwise."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.embedded.children import ENVIRONMENT, Child, end_leftovers, kept_port, new_port, wait_until
from app.embedded.places import Account, hold, identity, kept_secret, settle, unprivileged_account, write_secret
from app.embedded.postgres_programs import Programs, find_programs
from app.errors import DatabaseDown

_USER = "mao"
_DATABASE = "mao"
_START_SECONDS = 120.0
"""Long enough to recover from a crash with much to redo."""

_STOP_SECONDS = 20.0
_PORT_ATTEMPTS = 3
_READY_LINE = 7
"""The line of ``postmaster.pid`` that says how far the server is."""

_NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""Commits still survive a killed server, which tests rely on; without ``synchronous_commit`` they would not."""


@dataclass(frozen=True)
class _Place:
    """The files of one server."""

    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def run(self, arguments: list[str | Path], text: str | None = None) -> None:
        """Run a program to its end as the server's account, with ``text`` as its input.

        Raises:
            DatabaseDown: it failed.
        """
        with self.log.open("ab") as log:
            done = subprocess.run(
                arguments,
                input=(text or "").encode(),
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                **identity(self.account),
            )
        if done.returncode != 0:
            raise DatabaseDown("A PostgreSQL cluster could not be made.", hint=f"{self.log} says why.")


class PostgresServer:
    """A running server of ours; the database ``mao`` exists and ``mao`` may do everything."""

    user = _USER
    database = _DATABASE

    def __init__(self, child: Child, port: int, password: str, data: Path, claim: BinaryIO) -> None:
        self.address = f"127.0.0.1:{port}"
        self.password = password
        self._child = child
        self._data = data
        self._claim = claim

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        return self._child.pid

    def is_alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._child.is_alive()

    def stop(self) -> None:
        """End the server; connections are cut, what was committed is kept. Doing it twice is no error."""
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait until the last client has gone.
        self._child.stop(signal.SIGINT, _STOP_SECONDS)
        end_leftovers(self._data, "postgres", signal.SIGKILL, _STOP_SECONDS)
        self._claim.close()


def start_postgres(folder: Path, *, is_durable: bool = True) -> PostgresServer:
    """Start a server that keeps its data in ``folder``, and wait until it answers.

    ``is_durable`` false trades safety after a crash of the machine for speed; it is for tests.

    Raises:
        DatabaseDown: there are no programs of PostgreSQL, or they fail; the hint names the cure or the log.
        Locked: another process runs a server on this folder.
    """
    account = unprivileged_account()
    place = _Place(settle(folder, account), account)
    claim = hold(place.folder)
    try:
        _end_earlier_server(place.data)
        programs = find_programs(place.data, account)
        if not place.data.exists():
            _initialise(place, programs, is_durable)
        child, port = _launch(place, programs, is_durable)
        return PostgresServer(child, port, (place.folder / "password").read_text(), place.data, claim)
    except BaseException:
        claim.close()
        raise


@dataclass(frozen=True)
class PostgresPlace:
    """Where a server that somebody else has started is reached."""

    address: str
    password: str
    user: str = _USER
    database: str = _DATABASE


def postgres_place(folder: Path) -> PostgresPlace:
    """Give where the server of ``folder`` is reached while it runs; nothing is started."""
    place = settle(folder, unprivileged_account())
    return PostgresPlace(f"127.0.0.1:{(place / 'port').read_text().strip()}", (place / "password").read_text())


def _end_earlier_server(data: Path) -> None:
    end_leftovers(data, "postgres", signal.SIGINT, _STOP_SECONDS, first=_postmaster(data))
    # Nobody is left on these data, so a number in this file is stale. PostgreSQL would believe it wherever another
    # process, or a zombie, has the number now, and refuse to start.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _postmaster(data: Path) -> int | None:
    lines = _status_lines(data)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _status_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _initialise(place: _Place, programs: Programs, is_durable: bool) -> None:
    """Make the cluster beside its place and move it there when complete, so that a crash leaves no half of one."""
    unfinished = place.folder / "data.unfinished"
    for_initdb = place.folder / "password.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    for_initdb.unlink(missing_ok=True)
    unfinished.mkdir(mode=0o700)
    write_secret(for_initdb, kept_secret(place.folder / "password", lambda: secrets.token_urlsafe(32)))
    if place.account:
        place.account.take_over(unfinished)
        place.account.take_over(for_initdb)
    arguments: list[str | Path] = [programs.initdb, "-D", unfinished, "-U", _USER, "-A", "scram-sha-256"]
    arguments += ["--pwfile", for_initdb, "-E", "UTF8", "--no-locale", *([] if is_durable else ["--no-sync"])]
    try:
        place.run(arguments)
    finally:
        for_initdb.unlink()
    place.run([programs.postgres, "--single", "-D", unfinished, "postgres"], f"create database {_DATABASE}\n")
    unfinished.rename(place.data)


def _launch(place: _Place, programs: Programs, is_durable: bool) -> tuple[Child, int]:
    port = kept_port(place.folder / "port")
    for _ in range(_PORT_ATTEMPTS):
        arguments: list[str | Path] = [programs.postgres, "-D", place.data, "-p", str(port)]
        arguments += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "timezone=UTC"]
        arguments += [] if is_durable else _NOT_DURABLE
        child = Child(arguments, data=place.data, log=place.log, account=place.account)
        try:
            if _is_up(child, place.data):
                return child, port
        except BaseException:
            child.kill()
            raise
        # Somebody may have taken the port between our look and the server's.
        port = new_port(place.folder / "port")
    raise DatabaseDown("The embedded PostgreSQL does not start.", hint=f"{place.log} says why.")


def _is_up(child: Child, data: Path) -> bool:
    def is_decided() -> bool:
        return not child.is_alive() or _is_ready(child.pid, data)

    if not wait_until(is_decided, _START_SECONDS):
        child.kill()
    return child.is_alive()


def _is_ready(pid: int, data: Path) -> bool:
    lines = _status_lines(data)
    return len(lines) > _READY_LINE and lines[0] == str(pid) and lines[_READY_LINE].strip() == "ready"
