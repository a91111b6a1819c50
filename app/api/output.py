"""A run's output as an HTTP answer: from an offset, the last lines, a Range, or as it comes; large ones in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from app.api.following import answer_stream, last_event_id
from app.models.token import Identity

if TYPE_CHECKING:
    from app.services.outputs import OutputPage, OutputService

PIECE_BYTES = 2**20
SAFE = {"Content-Security-Policy": "default-src 'none'; sandbox", "Accept-Ranges": "bytes"}
"""A tool prints what it likes, also HTML: whatever opens the answer must take it for text."""


def answer_output(
    outputs: OutputService,
    who: Identity,
    run_id: int,
    *,
    offset: int | None = None,
    tail: int | None = None,
    limit: int | None = None,
    follow: bool = False,
) -> Response:
    """Answer with the output from ``offset`` on or its last ``tail`` lines, at most ``limit`` bytes of it.

    With ``follow`` it goes on as output comes. A ``Range`` header counts where nothing else is given and all of the
    output was kept; bytes that were not kept have numbers too, so the length of an answer that spans them is not said.

    Raises:
        werkzeug.exceptions.RequestedRangeNotSatisfiable: the range begins behind the end.
    """
    if follow:
        return _answer_follow(outputs, who, run_id, offset or 0, tail)
    if tail is not None:
        page = outputs.tail(who, run_id, tail)
        data = page.data if limit is None else page.data[max(0, len(page.data) - limit) :]
        return _answer(run_id, iter((data,)), len(data), page.next_byte, page)
    start = offset or 0
    first = outputs.read(who, run_id, start, min(limit or PIECE_BYTES, PIECE_BYTES))
    if offset is None and limit is None and not first.cuts and (wanted := _range()):
        return _answer_range(outputs, who, run_id, first.total_bytes, *wanted)
    # Where the first byte that is wanted was not kept, the answer begins with the next one that was.
    begin = first.first_byte
    stop = max(begin, first.total_bytes if limit is None else min(first.total_bytes, begin + limit))
    length = None if _spans_cut(first, begin, stop) else stop - begin
    return _answer(run_id, _pieces(outputs, who, run_id, first, stop), length, _kept_from(first, stop), first)


def _answer_follow(outputs: OutputService, who: Identity, run_id: int, offset: int, tail: int | None) -> Response:
    begun = last_event_id()
    if begun is None:
        begun = offset if tail is None else outputs.tail(who, run_id, tail).first_byte
    return answer_stream(outputs.follow(who, run_id, begun))


def _range() -> tuple[int, int | None] | None:
    """Give the one range that the header asks for; several at once are not served, and then the whole is."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    return asked.ranges[0]


def _answer_range(
    outputs: OutputService, who: Identity, run_id: int, total: int, begin: int, end: int | None
) -> Response:
    # What is printed later may lie behind a cut, which no range can tell of.
    start = max(0, total + begin) if begin < 0 else begin
    stop = total if end is None else min(end, total)
    if start >= stop:
        raise RequestedRangeNotSatisfiable(total)
    first = outputs.read(who, run_id, start, min(stop - start, PIECE_BYTES))
    answer = _answer(run_id, _pieces(outputs, who, run_id, first, stop), stop - start, stop, first)
    answer.status_code = 206
    answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    return answer


def _pieces(outputs: OutputService, who: Identity, run_id: int, first: OutputPage, stop: int) -> Iterator[bytes]:
    """Give the bytes before ``stop``; those that were not kept are left out."""
    page = first
    while page.data and page.first_byte < stop:
        yield page.data[: stop - page.first_byte]
        if page.next_byte >= stop:
            return
        page = outputs.read(who, run_id, page.next_byte, min(stop - page.next_byte, PIECE_BYTES))


def _kept_from(page: OutputPage, number: int) -> int:
    """Give the number itself, or that of the next byte that was kept."""
    return next((behind for first, behind in page.cuts if first <= number < behind), number)


def _spans_cut(page: OutputPage, start: int, stop: int) -> bool:
    return any(first < stop and behind > start for first, behind in page.cuts)


def _answer(run_id: int, body: Iterator[bytes], length: int | None, next_byte: int, page: OutputPage) -> Response:
    answer = Response(body, content_type="text/plain", headers=SAFE)
    if length is not None:
        answer.content_length = length
    answer.headers["X-Next-Offset"] = str(next_byte)
    if page.cuts:
        answer.headers["X-Cut"] = ", ".join(f"{first}-{behind - 1}" for first, behind in page.cuts)
    answer.headers["Content-Disposition"] = f'attachment; filename="run-{run_id}.txt"'
    return answer
