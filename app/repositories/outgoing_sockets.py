"""Connections to receivers outside: to an address that was judged, and cut when the time of the attempt is over.

Libraries know time limits for a single read only, and a receiver that sends a byte now and then would hold a thread for
as long as it likes.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType

from app.repositories.addresses import Address

ATTEMPT_SECONDS = 10.0
"""What one attempt may take in all: the look-up of the name, the connection, and the whole answer."""

_CONNECT_SECONDS = 4.0


class SendingFailed(Exception):
    """A message did not go, or nobody knows whether it did; the text says why, without what may be secret.

    ``is_final`` tells that the receiver wants no further attempt.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_final = is_final


class Attempt:
    """The time of one attempt, as a context; at its end, or when the time is over, the connection is cut."""

    def __init__(self, seconds: float = ATTEMPT_SECONDS) -> None:
        self._ends_at = time.monotonic() + seconds
        self._handles: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Attempt:
        """Let the time begin."""
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut what is still open."""
        self._timer.cancel()
        self._cut()
        for handle in self._handles:
            handle.close()

    @property
    def left_seconds(self) -> float:
        """What is left of the time, in seconds; never 0, which some libraries take for no limit."""
        return max(self._ends_at - time.monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._ends_at

    def connect(self, addresses: Iterable[Address], port: int) -> socket.socket:
        """Connect to the first of ``addresses`` that answers.

        Raises:
            OSError: none does, or the time is over.
        """
        failure: OSError = TimeoutError("timed out")
        for address in addresses:
            if self.is_over:
                break
            made = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
            made.settimeout(min(self.left_seconds, _CONNECT_SECONDS))
            try:
                made.connect((str(address), port))
            except OSError as error:
                made.close()
                failure = error
                continue
            # TLS takes the socket over; this second handle on the same connection can still shut it.
            self._handles.append(made.dup())
            if self.is_over:
                # The timer may have looked before there was anything to cut.
                self._cut()
            made.settimeout(self.left_seconds)
            return made
        raise failure

    def _cut(self) -> None:
        for handle in self._handles:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)
