"""The processes that a fault may kill, and the keeper that starts them again as an operator's supervisor would."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.chaos.isolation import CHECKOUT

_KEEPER_SECONDS = 0.05
_READY_SECONDS = 60.0


class Process:
    """One program that is started again whenever it has died, unless it is held down."""

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        folder: Path,
        environment: Callable[[], Mapping[str, str]] = lambda: os.environ,
        *,
        takes_children_along: bool = False,
    ) -> None:
        self.name = name
        self.is_held_down = False
        self.lives = 0
        self._command = command
        self._environment = environment
        self._folder = folder
        self._takes_children_along = takes_children_along
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """The number of the process, 0 where there is none."""
        return self._process.pid if self._process else 0

    @property
    def log(self) -> Path:
        """What this life of the process has logged."""
        return self._folder / f"{self.name}.{self.lives}.log"

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program, unless it runs or is held down."""
        with self._lock:
            if self.is_alive() or self.is_held_down:
                return
            if self._takes_children_along and self._process:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self.lives += 1
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    cwd=CHECKOUT,
                    env=dict(self._environment()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def signal(self, number: int) -> None:
        with self._lock:
            if self._process and self._process.poll() is None:
                self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process at once, and wait until it is dead."""
        self.signal(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def children(self) -> list[int]:
        """Give the numbers of the process's children."""
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return []
        return [int(child) for child in text.split()]


class Keeper:
    """Starts again what has died."""

    def __init__(self, starts: Sequence[Callable[[], None]]) -> None:
        self._starts = starts
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._is_over.wait(_KEEPER_SECONDS):
            for start in self._starts:
                start()


def until(condition: Callable[[], object], what: str, seconds: float = _READY_SECONDS) -> None:
    """Wait until the condition holds.

    Raises:
        TimeoutError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {seconds} s: {what}.")
        time.sleep(_KEEPER_SECONDS)
