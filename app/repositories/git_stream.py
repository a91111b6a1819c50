"""A git command that is talked to while it runs: its output is read piece by piece and never held as a whole."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Iterator

from app.errors import BackendFailed

_CHUNK = 1 << 18
_KEPT_STDERR = 65_536
_END_SECONDS = 10.0


class GitStream:
    """What a running git prints, by parts that end with a mark or have a length.

    Every method raises ``BackendFailed`` where git has ended too early or says nothing for ``silence_seconds``.
    """

    def __init__(self, process: subprocess.Popen[bytes], silence_seconds: float) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._silence_seconds = silence_seconds
        self._stdin, self._stdout = process.stdin, process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        for stream in (process.stdout, process.stderr):
            self._selector.register(stream.fileno(), selectors.EVENT_READ)
        self._data, self._at = b"", 0
        self.errors = b""

    def send(self, data: bytes) -> None:
        """Write to git. More than it reads before it prints would leave both waiting for each other."""
        try:
            self._stdin.write(data)
            self._stdin.flush()
        except BrokenPipeError:
            raise _ended() from None

    def end_input(self) -> None:
        """Tell git that nothing more comes."""
        try:
            self._stdin.close()
        except BrokenPipeError:
            raise _ended() from None

    def until(self, mark: bytes) -> bytes | None:
        """Give what comes before the next ``mark``, a single byte; None at the end of the output."""
        searched = self._at
        while (found := self._data.find(mark, searched)) < 0:
            searched = len(self._data) - self._at
            if not self._more():
                if self._at < len(self._data):
                    raise _ended()
                return None
        part, self._at = self._data[self._at : found], found + 1
        return part

    def pieces(self, length: int) -> Iterator[bytes]:
        """Give the next ``length`` bytes in pieces; all of them must be taken."""
        while length:
            if self._at == len(self._data) and not self._more():
                raise _ended()
            piece = self._data[self._at : self._at + length]
            self._at += len(piece)
            length -= len(piece)
            yield piece

    def ends_well(self) -> bool:
        """Wait until git has ended, after all of its output was read, and tell whether it was content."""
        end = time.monotonic() + _END_SECONDS
        while self._selector.get_map() and time.monotonic() < end:
            self._more()
        try:
            return self._process.wait(_END_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False

    def close(self) -> None:
        """Let go of what this object needs by itself; git's streams belong to its process."""
        self._selector.close()

    def _more(self) -> bool:
        """Take in what git has printed, and tell whether there was anything before the end."""
        while self._stdout in self._selector.get_map():
            events = self._selector.select(self._silence_seconds)
            if not events:
                raise BackendFailed(
                    f"Git has said nothing for {self._silence_seconds:g} seconds in the local clone.",
                    hint="Look at the disk of this node.",
                )
            took = [self._taken(key.fd) for key, _ in events]
            if any(took):
                return True
        for key, _ in self._selector.select(0):
            self._taken(key.fd)
        return False

    def _taken(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            self._selector.unregister(descriptor)
        elif descriptor == self._stdout:
            self._data, self._at = self._data[self._at :] + chunk, 0
            return True
        else:
            self.errors = (self.errors + chunk)[-_KEPT_STDERR:]
        return False


def _ended() -> BackendFailed:
    return BackendFailed("Git has ended too early in the local clone.", hint="It is tried again.")
