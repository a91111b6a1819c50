"""`mao up --detach` and `mao down`: start the product in the background, and end it from elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from app.errors import Unavailable
from app.machine import api, databases
from app.machine.instance import claimed, is_ready, read_connection, running_pid, was_killed
from app.machine.up import greet
from app.settings import Settings, child_environment

LOG_NAME = "mao.log"
_START_SECONDS = 120
_STOP_SECONDS = 120
_RUNS_STOP_SECONDS = 60
_TAIL_LINES = 15
_BEAT_SECONDS = 0.1


def start(settings: Settings, say: Callable[[str], None]) -> int:
    """Start `mao up` in a session of its own, wait until it is ready, and give 0.

    Raises:
        Unavailable: it ended before it was ready; the message ends with the last lines of its log.
    """
    settings.instance.mkdir(parents=True, exist_ok=True)
    log = settings.instance / LOG_NAME
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.server", "up"],
            env=child_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not (running_pid(settings.instance) == process.pid and is_ready(settings.instance)):
        if process.poll() is not None:
            raise Unavailable("`mao up` ended before it was ready.", hint=_tail(log))
        if time.monotonic() > deadline:
            process.terminate()
            raise Unavailable(f"`mao up` was not ready in {_START_SECONDS} s and is stopped.", hint=_tail(log))
        time.sleep(_BEAT_SECONDS)
    greet(settings, say)
    return 0


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])


def stop(settings: Settings, say: Callable[[str], None], *, stop_runs: bool) -> None:
    """End the `mao up` of this instance and wait until it has gone; nothing running is no error.

    Raises:
        Unavailable: it, or one of the live runs, does not stop in time.
    """
    pid = running_pid(settings.instance)
    if pid is None:
        _end_leftovers(settings, say)
        return
    connection = read_connection(settings.instance)
    if stop_runs and connection:
        say(f"Stopped {api.stop_live_runs(connection, _RUNS_STOP_SECONDS)} live run(s).")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while running_pid(settings.instance) == pid or _runs(pid):
        if time.monotonic() > deadline:
            raise Unavailable(f"`mao up`, process {pid}, did not stop in {_STOP_SECONDS} s.", hint=f"kill {pid}")
        time.sleep(_BEAT_SECONDS)
    say("Stopped." if stop_runs else "Stopped. Runs that were live go on in their containers.")


def _runs(pid: int) -> bool:
    """Tell whether the process is there; one that only waits to be reaped is not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


def _end_leftovers(settings: Settings, say: Callable[[str], None]) -> None:
    """End the databases of a `mao up` that was killed. Starting one takes over what was left, stopping it ends that."""
    if not was_killed(settings.instance):
        say(f"Nothing runs for {settings.instance}.")
        return
    with claimed(settings.instance), ExitStack() as stack:
        databases.start(settings, stack)
    say(f"The last `mao up` for {settings.instance} was killed; what it left running is ended.")
