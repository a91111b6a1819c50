"""Read the server's answers: JSON where it promises JSON, and errors as ``CliError``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from cli.errors import CliError, Refused, ServerFailed, Unavailable

NOT_OURS = "Is the URL that of a MAO server? `maoctl doctor` checks."


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ServerFailed: the body is anything else.
    """
    try:
        value = json.loads(body)
    except ValueError:
        raise ServerFailed("The server's answer is not JSON.", hint=NOT_OURS) from None
    if not isinstance(value, dict):
        raise ServerFailed("The server's answer is not a JSON object.", hint=NOT_OURS)
    return value


def check(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise the error that an answer stands for; an answer of success passes.

    Raises:
        Refused: status 4xx.
        Unavailable: status 503.
        ServerFailed: any other status that is not a success. Redirects count, because following one could
            hand the token to somebody else.
    """
    if 200 <= status < 300:
        return
    raise _error(status, headers, body)


def _error(status: int, headers: Mapping[str, str], body: bytes) -> CliError:
    payload = _payload(body)
    message = _text(payload.get("message")) or f"The server answered {status} {_reason(status)}."
    hint = _text(payload.get("hint"))
    if 400 <= status < 500:
        details = list(_details(payload.get("errors")))
        return Refused(_shortened(message, details), status=status, hint=hint, details=details)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Unavailable(message, hint=hint, retry_after_seconds=_seconds(headers.get("Retry-After")))
    if 300 <= status < 400:
        return ServerFailed(f"The server answered {status} and names another address.", hint=NOT_OURS)
    return ServerFailed(message, hint=hint or "The server's log says more.")


def _payload(body: bytes) -> dict[str, Any]:
    """Read an error's body; a proxy's HTML page counts as empty, because the status says enough."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(not a status of HTTP)"


def _seconds(value: str | None) -> float | None:
    """Read a Retry-After of seconds; the other form, a date, is not worth a parser here."""
    return float(value) if value and value.isdecimal() else None


def _details(errors: object) -> Iterator[str]:
    """Give ``field: rule`` for each broken rule, without the outermost level (json, query), which is not the user's."""
    if isinstance(errors, dict):
        for location in errors.values():
            yield from _flat(location, ())


def _shortened(message: str, details: Iterable[str]) -> str:
    """Take out of ``message`` what the details say again, each on its own line."""
    for detail in details:
        message = message.replace(detail, "")
    return " ".join(message.split()) or "The input breaks these rules:"


def _flat(value: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, path)
    else:
        yield f"{'.'.join(path)}: {value}" if path else str(value)
