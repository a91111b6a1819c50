"""A run's output as an HTTP answer: from an offset, the last lines, or a Range; large ones in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from app.models.token import Identity

if TYPE_CHECKING:
    from app.services.runs import OutputPage, RunService

PIECE_BYTES = 2**20
SAFE = {"Content-Security-Policy": "default-src 'none'; sandbox", "Accept-Ranges": "bytes"}
"""A tool prints what it likes, also HTML: whatever opens the answer must take it for text."""


def answer_output(
    runs: RunService,
    who: Identity,
    run_id: int,
    *,
    offset: int | None = None,
    tail: int | None = None,
    limit: int | None = None,
) -> Response:
    """Answer with the output from ``offset`` on or its last ``tail`` lines, at most ``limit`` bytes of it.

    A ``Range`` header counts where neither is given and all of the output was kept; bytes that were not kept have
    numbers too, so the length of an answer that spans them is not said.

    Raises:
        werkzeug.exceptions.RequestedRangeNotSatisfiable: the range begins behind the end.
    """
    if tail is not None:
        page = runs.output_tail(who, run_id, tail)
        data = page.data if limit is None else page.data[max(0, len(page.data) - limit) :]
        return _answer(run_id, iter((data,)), len(data), page.next_byte)
    start = offset or 0
    first = runs.output(who, run_id, start, min(limit or PIECE_BYTES, PIECE_BYTES))
    if offset is None and limit is None and not first.has_cut and (wanted := _range()):
        return _answer_range(runs, who, run_id, *wanted)
    stop = max(first.first_byte, first.total_bytes if limit is None else min(first.total_bytes, start + limit))
    length = None if first.has_cut else stop - first.first_byte
    return _answer(run_id, _pieces(runs, who, run_id, first, stop), length, stop)


def _range() -> tuple[int, int | None] | None:
    """Give the one range that the header asks for; several at once are not served, and then the whole is."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    return asked.ranges[0]


def _answer_range(runs: RunService, who: Identity, run_id: int, begin: int, end: int | None) -> Response:
    total = runs.output(who, run_id, 0, 1).total_bytes
    start = max(0, total + begin) if begin < 0 else begin
    stop = total if end is None else min(end, total)
    if start >= stop:
        raise RequestedRangeNotSatisfiable(total)
    first = runs.output(who, run_id, start, min(stop - start, PIECE_BYTES))
    answer = _answer(run_id, _pieces(runs, who, run_id, first, stop), stop - start, stop)
    answer.status_code = 206
    answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    return answer


def _pieces(runs: RunService, who: Identity, run_id: int, first: OutputPage, stop: int) -> Iterator[bytes]:
    page = first
    while page.data:
        yield page.data[: stop - page.first_byte]
        if page.next_byte >= stop:
            return
        page = runs.output(who, run_id, page.next_byte, min(stop - page.next_byte, PIECE_BYTES))


def _answer(run_id: int, body: Iterator[bytes], length: int | None, next_byte: int) -> Response:
    answer = Response(body, content_type="text/plain", headers=SAFE)
    if length is not None:
        answer.content_length = length
    answer.headers["X-Next-Offset"] = str(next_byte)
    answer.headers["Content-Disposition"] = f'attachment; filename="run-{run_id}.txt"'
    return answer
