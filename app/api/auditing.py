"""The audit log's part of a request: a row before the view is called, its result afterwards, and who was refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response, current_app, request

from app import log
from app.api.context import known_entry, known_fields, known_identity, remember_entry, services
from app.api.errors import status_of
from app.api.security import Changes, access_of, enforce, shown_secret
from app.errors import Forbidden, MaoError, TooManyRequests, Unauthenticated
from app.services.audit import NOBODY
from app.services.refusals import Counted
from app.services.tokens import claimed_identifier

READING = ("GET", "HEAD", "OPTIONS")
SECRET_ARGUMENTS = ("webhook_id",)
"""Parts of an address that are secrets."""

_TARGET_SHOWN = 400
_QUERY_SHOWN = 200


def admit() -> None:
    """Let the request pass if the rule of its view allows it; count it where not.

    Raises:
        Unauthenticated: no valid token.
        TooManyRequests: no valid token, and too many before this one.
        Forbidden: the token lacks the permission. That is never a guess, so it is said however often it is asked.
    """
    try:
        enforce()
    except Unauthenticated as error:
        claimed = claimed_identifier(shown_secret())
        counted = services().refusals.count(request.remote_addr, claimed)
        _record_refusal(counted, _too_many(counted) or error, {"claimed": claimed} if claimed else {})
    except Forbidden as error:
        _record_refusal(services().refusals.count(request.remote_addr, None), error, {})


def begin() -> None:
    """Store that a change is under way. Where that cannot be done, the change is not made."""
    if request.endpoint is None or request.method in READING:
        return
    access = access_of(request.endpoint, current_app)
    if access is not None and access.changes is not Changes.NOTHING:
        remember_entry(_record(_asked(), is_ordered=access.changes is Changes.POSTGRES))


def finish(response: Response) -> Response:
    """Store what came of the change that this request has asked for."""
    entry_id = known_entry()
    if entry_id is not None:
        made = {"made": response.headers["Location"]} if "Location" in response.headers else {}
        sent = {"fields": list(known_fields())} if known_fields() else {}
        services().audit.finish(entry_id, str(response.status_code), {**_asked(), **sent, **made})
    return response


def _record(details: dict[str, Any], *, is_ordered: bool, result: str | None = None) -> int:
    who = known_identity()
    return services().audit.begin(
        who.identifier if who else NOBODY,
        request.endpoint or "",
        _target(),
        owner=who.owner if who else None,
        address=request.remote_addr,
        request_id=log.request_id.get(),
        details=details,
        result=result,
        is_ordered=is_ordered,
    )


def _record_refusal(counted: Counted, error: MaoError, details: dict[str, Any]) -> None:
    if counted.is_recorded:
        told = {**_asked(), "method": request.method, **details}
        _record(told, is_ordered=True, result=str(status_of(error).value))
    raise error


def _too_many(counted: Counted) -> TooManyRequests | None:
    if not counted.wait_seconds:
        return None
    return TooManyRequests(
        "Calls from here, or with the name of this token, were refused too often in this minute.",
        retry_after_seconds=counted.wait_seconds,
        hint="A valid token is accepted at any time.",
    )


def _target() -> str:
    """Give the path in ASCII, without what is secret in it."""
    path = request.path
    for name in SECRET_ARGUMENTS:
        if secret := (request.view_args or {}).get(name):
            path = path.replace(secret, _masked(secret))
    return quote(path, safe="/:@*", errors="replace")[:_TARGET_SHOWN]


def _masked(secret: str) -> str:
    # A webhook's id begins with the number of its run, which is what somebody who reads the log wants to know.
    number, dash, _ = secret.partition("-")
    return f"{number}-***" if dash and number.isdecimal() else "***"


def _asked() -> dict[str, Any]:
    # As it was sent, with its percent signs: what a sender hides in there cannot break the row that tells of it.
    query = request.query_string.decode("latin-1")[:_QUERY_SHOWN]
    return {"query": query} if query else {}
