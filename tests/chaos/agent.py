"""The real agent, which dies at a named point when a file says so; the product itself has no such points.

The file (``CHAOS_EDGE``) holds the names of points, one a line. The agent that is the first at one of them takes the
file away, in a way that says where that was, and kills itself as ``kill -9`` would.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from app import agent
from app.executors.docker import DockerExecutor
from app.repositories.locks import LockRepository
from app.repositories.run_locks import RunLockRepository
from app.repositories.workdirs import Workdirs
from app.services import dispatching, supervision
from app.settings import load

_FILE = Path(os.environ["CHAOS_EDGE"])


def die_if_told(edge: str) -> None:
    """Kill this process if the file names this point."""
    with suppress(OSError):
        if edge not in _FILE.read_text().splitlines():
            return
        # Whoever takes the file away dies; a second thread that comes by does not find it.
        _FILE.rename(_FILE.with_suffix(f".{edge}"))
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(place: Any, name: str, *, before: str = "", after: str = "", only: Callable[[Any], bool] = bool) -> None:
    """Put a point before and after a function; the one after counts only where ``only`` says so of what it gives."""
    real = getattr(place, name)

    @functools.wraps(real)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        die_if_told(before)
        given = real(*arguments, **named)
        if only(given):
            die_if_told(after)
        return given

    setattr(place, name, wrapped)


def _always(_given: Any) -> bool:
    return True


def put_edges() -> None:
    """Put every point of ``tests.chaos.edges`` in its place."""
    wrap(LockRepository, "take", before="before_locks", after="after_locks")
    wrap(RunLockRepository, "note_taken", after="after_locks_noted")
    wrap(dispatching.Dispatcher, "_claim", after="after_claim", only=lambda given: bool(given[0]))
    wrap(DockerExecutor, "create", before="before_create", after="after_create")
    wrap(supervision.Supervision, "_create", after="after_submitted_commit")
    wrap(DockerExecutor, "start", before="before_start", after="after_start", only=_always)
    wrap(supervision.Supervision, "_start_created", after="after_running_commit")
    wrap(supervision, "settle", before="before_settle", after="after_settle")
    wrap(Workdirs, "quarantine", before="before_quarantine", after="after_quarantine", only=_always)
    wrap(Workdirs, "commit", before="before_publish", after="after_publish")
    wrap(supervision, "record_attempt", before="before_next_attempt", after="between_attempts")
    wrap(supervision, "record_final", before="before_finish_commit", after="after_finish_commit")
    wrap(DockerExecutor, "remove", after="after_remove", only=_always)


if __name__ == "__main__":
    put_edges()
    sys.exit(agent.run(load()))
