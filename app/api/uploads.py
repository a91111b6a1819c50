"""Bodies and answers that are files: read and sent piece by piece, with a limit of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Response, current_app, request, send_file
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, UnsupportedMediaType

from app.api.blueprint import Blueprint, View
from app.errors import MaoError
from app.models.file import RunFile

MEDIA_TYPE = "application/octet-stream"
LIMIT = "FILE_BYTES"
"""The key in the application's configuration."""

SAFE = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "no-store"}
"""Whoever uploads chooses what is in a file: whatever opens the answer must not run it."""

_PIECE_BYTES = 64 * 2**10
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def takes_file(view: View) -> View:
    """Declare that the body of a view is the bytes of one file."""
    view.takes_file = True  # type: ignore[attr-defined]
    body = {"required": True, "content": {MEDIA_TYPE: _BINARY}}
    return Blueprint.doc(requestBody=body)(view)


def most_bytes(view: object) -> int:
    """Give how many bytes the body of a view may have."""
    key = LIMIT if getattr(view, "takes_file", False) else "MAX_CONTENT_LENGTH"
    return int(current_app.config[key])


@contextmanager
def uploaded() -> Iterator[Iterator[bytes]]:
    """Give the body of this request in pieces, all of it or an error.

    Raises:
        werkzeug.exceptions.UnsupportedMediaType: it is not announced as the bytes of a file.
        werkzeug.exceptions.RequestEntityTooLarge: there is more of it than is allowed.
        werkzeug.exceptions.ClientDisconnected: there is less of it than was announced.
    """
    if request.mimetype != MEDIA_TYPE:
        raise UnsupportedMediaType(f"The body must be the bytes of a file, announced as Content-Type: {MEDIA_TYPE}.")
    pieces = _pieces()
    try:
        yield pieces
    except MaoError:
        # The rest is read away, because a client that is still sending would find the connection cut and no answer.
        for _ in pieces:
            pass
        raise


def _pieces() -> Iterator[bytes]:
    limit, announced, size = int(current_app.config[LIMIT]), request.content_length, 0
    # One byte more than is allowed is read, to tell a body that is too long from one that ends there.
    request.max_content_length = limit + 1
    while piece := request.stream.read(_PIECE_BYTES):
        size += len(piece)
        if size > limit:
            raise RequestEntityTooLarge(f"The body has more than the {limit} bytes that are allowed.")
        yield piece
    if announced is not None and size != announced:
        raise ClientDisconnected(f"The body ended after {size} of {announced} bytes.")


def answer_file(file: RunFile, path: Path) -> Response:
    """Answer with the bytes of a file; the entity tag is their SHA-256."""
    answer = send_file(
        path, mimetype=MEDIA_TYPE, as_attachment=True, download_name=file.file_id, conditional=False, etag=file.sha256
    )
    answer.headers.update(SAFE)
    return answer
