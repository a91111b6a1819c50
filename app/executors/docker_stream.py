"""What the engine sends bit by bit: a container's output, and the progress of fetching an image."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

_HEADER_BYTES = 8
_LENGTH = slice(4, 8)


class Reader(Protocol):
    """Something that gives exactly ``amount`` bytes, fewer only at its end."""

    def read(self, amount: int) -> bytes:
        """Give the next bytes."""


def payloads(source: Reader) -> Iterator[bytes]:
    """Give the content of each frame: a header of eight bytes (the stream, three zeros, the length), then the content.

    Raises:
        EOFError: the stream stopped inside a frame.
    """
    while header := source.read(_HEADER_BYTES):
        length = int.from_bytes(header[_LENGTH], "big")
        content = source.read(length)
        if len(header) < _HEADER_BYTES or len(content) < length:
            raise EOFError("The stream of output stopped inside a frame.")
        if content:
            yield content


def skipping(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Leave out the first ``count`` bytes of ``chunks``."""
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))


def pull_failure(response: Any, deadline: float) -> str:
    """Read the progress of a pull to its end and give what went wrong, in the engine's words; empty when all is well.

    At ``deadline``, a reading of ``time.monotonic``, the connection is shut, which makes the engine give up.

    Raises:
        OSError: the connection ended too early, for that or for another reason.
    """
    if not response.ok:
        return str(response.json().get("message", response.reason))
    with _shut_at(deadline, response.raw):
        events = (json.loads(line) for line in response.iter_lines() if line)
        return next((str(event["error"]) for event in events if "error" in event), "")


@contextmanager
def _shut_at(deadline: float, raw: Any) -> Iterator[None]:
    def shut() -> None:
        # A response that has just come to its end cannot be shut any more.
        with suppress(ValueError):
            raw.shutdown()

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
