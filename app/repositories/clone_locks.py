"""One command at a time in a clone: among the threads of a process, among processes, and after a death.

The lock is a ``flock`` whose descriptor git inherits. So a git command that outlives a killed agent keeps the clone
locked until it ends, and the next agent never works beside it. While the lock is held its file says so; whoever finds
that mark knows that the last holder died at work.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import Conflict, Locked, NotFound

_POLL_SECONDS = 0.1
_AT_WORK = b"at work\n"


@dataclass
class _Lock:
    thread_lock: threading.RLock = field(default_factory=threading.RLock)
    depth: int = 0
    descriptor: int = -1
    is_dirty: bool = False


@dataclass(frozen=True)
class Hold:
    """A lock that is held: the descriptor that git must inherit, and whether the last holder died at work."""

    descriptor: int
    was_interrupted: bool


class CloneLocks:
    """The locks of all clones, one file ``<name>.lock`` each in ``folder``; ``patience_seconds`` bounds the waiting."""

    def __init__(self, folder: Path, patience_seconds: float) -> None:
        self._folder = folder
        self._patience_seconds = patience_seconds
        self._locks: dict[str, _Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def held(self, name: str) -> Iterator[Hold]:
        """Hold the lock of a clone; a thread that has it may take it again.

        Raises:
            Locked: another process kept it for too long.
        """
        with self._guard:
            lock = self._locks.setdefault(name, _Lock())
        with lock.thread_lock:
            is_interrupted = lock.depth == 0 and self._open(name, lock)
            lock.depth += 1
            try:
                yield Hold(lock.descriptor, is_interrupted)
            except (Conflict, NotFound):
                raise
            except BaseException:
                lock.is_dirty = True
                raise
            finally:
                lock.depth -= 1
                if lock.depth == 0:
                    _close(lock)

    def _open(self, name: str, lock: _Lock) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(name, descriptor)
            was_interrupted = os.pread(descriptor, len(_AT_WORK), 0) != b""
            os.pwrite(descriptor, _AT_WORK, 0)
        except BaseException:
            os.close(descriptor)
            raise
        lock.descriptor = descriptor
        lock.is_dirty = False
        return was_interrupted

    def _wait_for(self, name: str, descriptor: int) -> None:
        end = time.monotonic() + self._patience_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Locked(
                        f"Another process is at work in the clone of '{name}'.", hint="Try again when it has ended."
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                return


def _close(lock: _Lock) -> None:
    # After a failure the mark stays, so that the next holder clears up what a killed git may have left.
    if not lock.is_dirty:
        os.ftruncate(lock.descriptor, 0)
    os.close(lock.descriptor)
    lock.descriptor = -1
