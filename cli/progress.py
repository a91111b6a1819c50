"""Progress on stderr while the user waits; nothing at all where stderr is not a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.client import Json
from cli.terminal import Decoder, clean_line

LONGEST_PARTIAL_LINE = 65_536


class RunDisplay:
    """Show a run's state and, line by line above it, what the tool prints."""

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        self._is_terminal = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            _words(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._is_terminal,
        )
        self._task = self._progress.add_task("Submitted", total=None)
        self._decoder = Decoder()
        self._partial = ""

    @property
    def is_terminal(self) -> bool:
        """Tell whether somebody is watching."""
        return self._is_terminal

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._print(self._partial + self._decoder.feed(b"", is_last=True))
        self._progress.stop()

    def show(self, run: Json) -> None:
        """Show where the run stands."""
        waiting = f", waiting for: {run['waitingFor']}" if run.get("waitingFor") else ""
        self.say(f"Run {run.get('id')} {run.get('status')}{waiting}")

    def say(self, text: str) -> None:
        """Show ``text`` in place of the run's state."""
        self._progress.update(self._task, description=clean_line(text))

    def write(self, data: bytes) -> None:
        """Show output. Only whole lines are shown, because the state's line is drawn below them."""
        *lines, self._partial = (self._partial + self._decoder.feed(data)).split("\n")
        if len(self._partial) > LONGEST_PARTIAL_LINE:
            lines, self._partial = [*lines, self._partial], ""
        self._print("\n".join(lines))

    def remark(self, text: str) -> None:
        """Show a sentence of ours between what the tool printed."""
        self.write(f"\n[{text}]\n".encode())

    def _print(self, text: str) -> None:
        if not text:
            return
        if self._is_terminal:
            self._progress.console.print(Text(text), soft_wrap=True)
        else:
            sys.stderr.write(f"{text}\n")


class Silence:
    """Take the place of a display where progress would only be in the way."""

    def show(self, run: Json) -> None:
        """Show nothing of the run."""

    def say(self, text: str) -> None:
        """Say nothing."""


class CloneDisplay:
    """Show how far a clone is."""

    def __init__(self, name: str) -> None:
        console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            _words(),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(clean_line(name), total=100)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, clone: Json) -> None:
        """Show a clone's state and percentage."""
        text = clean_line(f"{clone.get('name')} {clone.get('state')} {clone.get('message') or ''}")
        self._progress.update(self._task, description=text, completed=clone.get("progressPercent") or 0)


def _words() -> TextColumn:
    """Make the column of the description, which comes from elsewhere and is therefore never read as markup."""
    return TextColumn("{task.description}", markup=False)
