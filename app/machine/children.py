"""Child processes: started, watched, started again when they die, stopped in order."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that has lived this long is in good health again: its next death is answered by the shortest delay."""


@dataclass(frozen=True)
class Command:
    """What a child is: its name, its argument list, and how many seconds it may take to stop."""

    name: str
    arguments: Sequence[str]
    stop_seconds: float = 15.0


class Child:
    """One process that is kept running. ``watch`` has to be called a few times a second."""

    def __init__(
        self, command: Command, environment: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.command = command
        self.deaths = 0
        self._environment = dict(environment)
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._next_start_at = 0.0
        self._delay = FIRST_DELAY_SECONDS

    @property
    def is_alive(self) -> bool:
        """Tell whether the process runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The number of the process, or None before the first start and between two starts."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; it gets SIGTERM from the kernel when this process dies, however that happens."""
        parent = os.getpid()

        def die_with_parent() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)  # The parent died before the kernel knew of the bond.

        self._process = subprocess.Popen(
            self.command.arguments,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            # A session of its own: Ctrl-C in the terminal must reach only the parent, which stops things in order.
            start_new_session=True,
            # Safe here, because this process has no other thread.
            preexec_fn=die_with_parent,
        )
        self._started_at = self._clock()

    def watch(self) -> None:
        """Start the process again if it has died, after a delay that doubles with each early death."""
        if self.is_alive:
            return
        now = self._clock()
        if self._process is not None:
            self._mourn(now, self._process.returncode)
        if now >= self._next_start_at:
            self.start()

    def _mourn(self, now: float, status: int) -> None:
        if now - self._started_at >= STEADY_SECONDS:
            self._delay = FIRST_DELAY_SECONDS
        _LOG.error("%s ended with status %s; it is started again in %.1f s.", self.command.name, status, self._delay)
        self.deaths += 1
        self._process = None
        self._next_start_at = now + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)

    def stop(self) -> None:
        """Ask the process to end, wait, and kill it when its time is over."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self.command.stop_seconds)
        except subprocess.TimeoutExpired:
            _LOG.error("%s did not stop in %.0f s and is killed.", self.command.name, self.command.stop_seconds)
            self._process.kill()
            self._process.wait()
        self._process = None
