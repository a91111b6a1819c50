"""Wait for a run, a clone or a removal. The waiting is ours alone: what is waited for goes on without us."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from math import ceil
from typing import TypeVar

from cli.client import Json
from cli.endpoints import Server
from cli.errors import CloneFailed, Refused, Unavailable, Unreached, WaitTimedOut
from cli.exits import is_final
from cli.output_pieces import Cut
from cli.progress import RunDisplay, Silence

T = TypeVar("T")

LONG_POLL_SECONDS = 25
LIVE_POLL_SECONDS = 2
"""How long the server holds a question while output is shown: also the age of the newest line that is not shown yet."""
PAUSE_SECONDS = 0.5
OUTAGE_SECONDS = 60.0
"""A server may be restarted while its runs go on, so that it is missed for so long before we give up."""
CHUNK_BYTES = 1 << 20
LIST_LOCAL = "maoctl dataset list-local"


class Watch:
    """Time while waiting: the limit that the user set, pauses, and patience with a server that is away."""

    def __init__(
        self,
        timeout_seconds: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._timeout_seconds = timeout_seconds
        self._end = None if timeout_seconds is None else clock() + timeout_seconds

    def left(self, most: int) -> int:
        """Give the whole seconds that are left, at most ``most``."""
        return most if self._end is None else max(0, min(most, ceil(self._end - self._clock())))

    def check(self, what: str, *, hint: str) -> None:
        """Raise ``WaitTimedOut`` when the time is over."""
        if self._end is not None and self._clock() >= self._end:
            raise WaitTimedOut(f"{what} after {self._timeout_seconds} s; it goes on.", hint=hint)

    def pause(self) -> None:
        """Sleep for a moment, but not beyond the end."""
        self._sleep(PAUSE_SECONDS if self._end is None else max(0.0, min(PAUSE_SECONDS, self._end - self._clock())))

    def ask(self, question: Callable[[], T], on_outage: Callable[[str], None] | None = None) -> T:
        """Give the answer to ``question``, asked again while the server is away; ``on_outage`` is told why.

        Raises:
            Unreached, Unavailable: it is away for too long, or the user's time is over.
        """
        end = self._clock() + OUTAGE_SECONDS
        while True:
            try:
                return question()
            except (Unreached, Unavailable) as error:
                if self._clock() >= end or (self._end is not None and self._clock() >= self._end):
                    raise
                if on_outage is not None:
                    on_outage(f"{error.message} Trying again.")
                self.pause()


class OutputReader:
    """Read a run's output once, piece by piece; ``offset`` is the first byte that was not written yet.

    ``on_cut`` is told of bytes that the server has not kept, by a sentence, where they would have been written.
    """

    def __init__(
        self,
        server: Server,
        run_id: int,
        write: Callable[[bytes], object],
        on_cut: Callable[[str], object],
        offset: int = 0,
    ) -> None:
        self._server = server
        self._run_id = run_id
        self._write = write
        self._on_cut = on_cut
        self.offset = offset

    def drain(self) -> None:
        """Write all that there is by now. After an error, the next call goes on where this one stood."""
        while True:
            piece = self._server.read_output(self._run_id, offset=self.offset, limit=CHUNK_BYTES)
            if not piece.data or piece.following <= self.offset:
                return
            for part in piece.parts():
                if isinstance(part, Cut):
                    self._on_cut(part.sentence)
                else:
                    self._write(part)
            self.offset = piece.following


def wait_for_run(
    server: Server, run_id: int, display: RunDisplay | Silence, watch: Watch, output: OutputReader | None
) -> Json:
    """Wait until a run is final and give it; its output, where wanted, is read meanwhile and to the end.

    Raises:
        WaitTimedOut: the run is not final in time.
    """
    held_seconds = 0  # The first answer comes at once, so that the user sees where the run stands.
    while True:
        run = watch.ask(partial(server.wait_run, run_id, watch.left(held_seconds)), display.say)
        display.show(run)
        if output is not None:
            watch.ask(output.drain, display.say)
        if is_final(str(run.get("status"))):
            return run
        watch.check(f"Run {run_id} is still {run.get('status')}", hint=how_to_go_on(run_id))
        watch.pause()
        held_seconds = LONG_POLL_SECONDS if output is None else LIVE_POLL_SECONDS


def wait_for_clone(server: Server, clone: Json, show: Callable[[Json], None], watch: Watch) -> Json:
    """Wait until a clone is made or refreshed, and give it.

    Raises:
        CloneFailed: it could not be made.
        WaitTimedOut: it is not made in time.
    """
    name = str(clone.get("name"))
    while True:
        show(clone)
        if clone.get("state") == "READY":
            return clone
        if clone.get("state") == "FAILED":
            raise CloneFailed(f"Data set '{name}' cannot be cloned: {clone.get('message') or 'no reason was given'}")
        watch.check(f"Data set '{name}' is still {clone.get('state')}", hint=f"Look with `{LIST_LOCAL}`.")
        watch.pause()
        clone = watch.ask(partial(server.get_clone, name))


def wait_for_removal(server: Server, clone: Json, watch: Watch, *, cure: str | None) -> None:
    """Wait until a clone is gone; ``cure`` is what helps where it is kept.

    Raises:
        Refused: the agent keeps it, for instance because it holds data that is nowhere else.
        WaitTimedOut: it is not gone in time.
    """
    name = str(clone.get("name"))
    while clone.get("state") == "REMOVING":
        watch.check(f"The clone of '{name}' is still being removed", hint=f"Look with `{LIST_LOCAL}`.")
        watch.pause()
        try:
            clone = watch.ask(partial(server.get_clone, name))
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return
            raise
    reason = clone.get("message") or f"it is {clone.get('state')} again and no reason was given"
    raise Refused(f"The clone of '{name}' was not removed: {reason}", hint=cure)


def how_to_go_on(run_id: int) -> str:
    """Say how to follow a run that nobody waits for any more, and how to stop it."""
    return f"Follow it with `maoctl run wait {run_id}`, stop it with `maoctl run stop {run_id}`."
