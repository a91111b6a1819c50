"""Child processes that serve: starting, ending, and what an earlier life of ours left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.embedded.places import Account, identity

# Servers take settings from variables too (PGPORT, ETCD_NAME). Ours must not depend on who starts them.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
_POLL_SECONDS = 0.02


class Child:
    """A server as our child, in a session of its own, so that Ctrl-C in the terminal reaches us only."""

    def __init__(
        self, arguments: Sequence[str | Path], *, data: Path, log: Path, account: Account | None = None
    ) -> None:
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=data,
                env=ENVIRONMENT,
                start_new_session=True,
                **identity(account),
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Tell whether the process runs; a dead one is reaped."""
        return self._process.poll() is None

    def stop(self, signal_number: int, timeout_seconds: float) -> None:
        """Ask the process to end, and kill it when it has not ended in time."""
        if self.is_alive():
            self._process.send_signal(signal_number)
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """Kill the process at once."""
        self._process.kill()
        self._process.wait()


def processes_in(data: Path, program: str) -> list[int]:
    """Give the processes of ``program`` that work in the folder ``data``; a zombie has no folder and is not counted."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(entry, data, program)]


def end_leftovers(
    data: Path, program: str, signal_number: int, timeout_seconds: float, first: int | None = None
) -> None:
    """End the server that a killed process of ours left behind on ``data``.

    ``first`` is the process to ask, where the others follow it; without it all are asked.
    """
    for pid in processes_in(data, program):
        if first in (None, pid):
            _signal(pid, signal_number)
    if not wait_until(lambda: not processes_in(data, program), timeout_seconds):
        for pid in processes_in(data, program):
            _signal(pid, signal.SIGKILL)
        wait_until(lambda: not processes_in(data, program), timeout_seconds)


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Wait until ``condition`` holds; tell whether it did in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def kept_port(path: Path) -> int:
    """Give the port in the file ``path`` if it is free now; else take a free one and keep it there."""
    try:
        port = int(path.read_text())
    except (FileNotFoundError, ValueError):
        port = 0
    if port and _is_free(port):
        return port
    return new_port(path)


def new_port(path: Path) -> int:
    """Take a free port of the loopback interface and keep it in the file ``path``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    path.write_text(str(port))
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without this option a port that a server has just left counts as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _works_in(entry: Path, data: Path, program: str) -> bool:
    try:
        return (entry / "comm").read_text().strip() == program and (entry / "cwd").readlink() == data
    except OSError:
        # It ended meanwhile, is a zombie, or belongs to somebody else.
        return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
