"""A run's output as server-sent events: one event a piece, each with the number of the byte behind it as its id."""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flask import Response, request

from app.errors import Invalid
from app.services.outputs import Cut, End, Piece

if TYPE_CHECKING:
    from app.services.outputs import OutputStream

_EVENT_BYTES = 64 * 2**10
_RETRY_MS = 2000
_HEADERS = {"X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
"""A proxy that buffers would keep what has come to itself."""


def last_event_id() -> int | None:
    """Give the byte from which a client that was cut off goes on, or None where it begins.

    Raises:
        Invalid: the header is no number.
    """
    given = request.headers.get("Last-Event-ID", "")
    if not given:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise Invalid("The header Last-Event-ID is not one of our ids.", hint="It is the number of a byte.")
    return int(given)


def answer_stream(stream: OutputStream) -> Response:
    """Answer with what the stream gives, until it ends or the client goes away."""
    answer = Response(_events(stream), content_type="text/event-stream", headers=_HEADERS)
    answer.call_on_close(stream.close)
    return answer


def _events(stream: OutputStream) -> Iterator[bytes]:
    yield f"retry: {_RETRY_MS}\n\n".encode()
    held = Piece(0, b"")
    for step in stream:
        if isinstance(step, Piece):
            events, held = _pieces(Piece(held.first_byte, held.data + step.data) if held.data else step)
            yield from events
            continue
        if step is not None and held.data:
            yield _piece(held)
            held = Piece(0, b"")
        yield _other(step)


def _other(step: Cut | End | None) -> bytes:
    if step is None:
        # A client that has gone is noticed when something is sent to it, and not before.
        return b": nothing new\n\n"
    if isinstance(step, Cut):
        return _event(step.next_byte, {"first": step.first_byte, "last": step.next_byte - 1}, "cut")
    return _event(step.next_byte, {"status": step.status, "cause": step.cause, "offset": step.next_byte}, "end")


def _pieces(piece: Piece) -> tuple[list[bytes], Piece]:
    """Give the events for a piece, and what to hold back of it: a character at its end that has not come whole."""
    events = []
    while piece.data:
        part = piece.data[:_EVENT_BYTES]
        if not (whole := part[: len(part) - _unfinished(part)]):
            break
        events.append(_piece(Piece(piece.first_byte, whole)))
        piece = Piece(piece.first_byte + len(whole), piece.data[len(whole) :])
    return events, piece


def _unfinished(data: bytes) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return len(decoder.getstate()[0])


def _piece(piece: Piece) -> bytes:
    text = piece.data.decode("utf-8", "replace")
    told: dict[str, Any] = {"offset": piece.first_byte, "text": text}
    if text.encode() != piece.data:
        told["base64"] = base64.b64encode(piece.data).decode("ascii")
    return _event(piece.first_byte + len(piece.data), told)


def _event(next_byte: int, told: dict[str, Any], name: str = "") -> bytes:
    kind = f"event: {name}\n" if name else ""
    return f"id: {next_byte}\n{kind}data: {json.dumps(told, ensure_ascii=False)}\n\n".encode()
