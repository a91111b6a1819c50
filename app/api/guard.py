"""What holds for every request before its view is called, and for every answer after it."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from app import log
from app.api import auditing
from app.api.converters import require_possible
from app.api.inputs import WatchInputs
from app.api.uploads import most_bytes
from app.errors import Invalid, NotFound

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def install(app: Flask) -> None:
    """Put the guard in front of all views. The order matters: first a request id, for every log line and answer."""
    app.wsgi_app = WatchInputs(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.before_request(auditing.admit)
    app.before_request(auditing.begin)
    app.before_request(_refuse_what_nobody_declared)
    app.after_request(_finish)
    app.after_request(auditing.finish)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    log.request_id.set(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)


def _refuse_what_nobody_declared() -> None:
    if request.endpoint is None:
        return
    view = current_app.view_functions[request.endpoint]
    limit = most_bytes(view)
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge(f"The body has {request.content_length} bytes; {limit} are allowed.")
    if "\0" in request.path:
        raise NotFound("Nothing has a name with NUL in it.")
    require_possible(request.view_args or {})
    for name, values in request.args.lists():
        if not getattr(view, "takes_query", False):
            raise Invalid("This call takes no arguments.", fields={name: ["Unknown field."]})
        if len(values) > 1:
            raise Invalid("An argument is there twice.", fields={name: ["Must be given once."]})
        if "\0" in name + values[0]:
            raise Invalid("An argument holds NUL.", fields={name: ["Must not contain NUL."]})


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = log.request_id.get() or ""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
