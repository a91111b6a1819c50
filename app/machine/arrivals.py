"""Requests on their way in: what has arrived of one, and how slowly the rest may follow."""

from __future__ import annotations

import re
import select
import socket
import time

READ_AHEAD_BYTES = 64 * 1024
"""More than the head of any request that is served, and more than most bodies."""

_GRACE_SECONDS = 10.0
_SLOWEST_BYTES_PER_SECOND = 10_000
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTING = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class Arrival:
    """What has arrived of one request so far."""

    def __init__(self, deadline: float) -> None:
        """``deadline`` is on the monotonic clock: by then there has to be enough of it."""
        self.deadline = deadline
        self.data = bytearray()
        self.is_expecting = False
        """Whether the client waits to be asked for the body."""
        self._needed: int | None = None
        self._is_chunked = False

    def add(self, data: bytes) -> bool:
        """Take note of what has just come; tell whether a thread can work on it without waiting.

        That is so when all of the request is there, or so much of it that whoever sent it means it.
        """
        searched = max(0, len(self.data) - len(_HEAD_END))
        self.data += data
        if self._needed is None and (end := self.data.find(_HEAD_END, searched)) >= 0:
            self._read_head(end + len(_HEAD_END))
        if len(self.data) >= READ_AHEAD_BYTES:
            return True
        if self._needed is None or len(self.data) < self._needed:
            return False
        return not self._is_chunked or self.data.endswith(_HEAD_END, self._needed)

    def _read_head(self, end: int) -> None:
        head = bytes(self.data[:end])
        length = _LENGTH.search(head)
        self._needed = end + (int(length[1]) if length else 0)
        self._is_chunked = _CHUNKED.search(head) is not None
        self.is_expecting = _EXPECTING.search(head) is not None


class PacedSocket:
    """The rest of a request, as a thread reads it: it has to come at a pace at which it ends some day."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._patience_ends: float | None = None

    def recv(self, size: int) -> bytes:
        """Give what comes next.

        Raises:
            TimeoutError: it comes too slowly.
        """
        if self._patience_ends is None:
            self._patience_ends = time.monotonic() + _GRACE_SECONDS
        waiting = select.poll()
        waiting.register(self._client, select.POLLIN)
        if not waiting.poll(max(0.0, self._patience_ends - time.monotonic()) * 1000):
            raise TimeoutError("The request comes too slowly.")
        data = self._client.recv(size)
        self._patience_ends += len(data) / _SLOWEST_BYTES_PER_SECOND
        return data
