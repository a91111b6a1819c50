"""Keyset pages: a cursor holds the key of the last item seen, so that a page costs the same wherever it begins."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.models.run import Run

Item = TypeVar("Item")


def page(
    fetch: Callable[[Any, int], Sequence[Item]], after: Any, limit: int, key: Callable[[Item], Any]
) -> dict[str, Any]:
    """Give one page as ``items`` and ``next``.

    ``fetch(after, limit)`` is asked for one item too many, which tells whether another page follows.
    """
    found = fetch(after, limit + 1)
    items = list(found[:limit])
    return {"items": items, "next": encode(key(items[-1])) if len(found) > limit else None}


def encode(key: Any) -> str:
    """Give the cursor of a key."""
    text = key.isoformat() if isinstance(key, datetime) else str(key)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """Give the key of a cursor, as text.

    Raises:
        ValueError: it is no cursor.
    """
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not a cursor") from error


def number(key: str) -> int:
    """Give a key that is the number of a row.

    Raises:
        ValueError: it is none, or larger than any row's.
    """
    if not re.fullmatch(r"[0-9]{1,18}", key):
        raise ValueError("not a number")
    return int(key)


def triple(key: str) -> tuple[str, str, str]:
    """Give a key that is made of three words.

    Raises:
        ValueError: it is not.
    """
    first, second, third = key.split(" ")
    if "\0" in key:
        raise ValueError("not words")
    return first, second, third


def place(run: Run) -> str:
    """Give the key of a run's place among the newest first."""
    return f"{run.defined_at.isoformat()} {run.id}"


def position(key: str) -> tuple[datetime, int]:
    """Give a key that is a run's place.

    Raises:
        ValueError: it is none.
    """
    at, _, run_id = key.partition(" ")
    return instant(at), number(run_id)


def instant(key: str) -> datetime:
    """Give a key that is an instant.

    Raises:
        ValueError: it is none, has no zone, or lies outside the calendar in UTC.
    """
    at = datetime.fromisoformat(key)
    if at.tzinfo is None:
        raise ValueError("not an instant")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not an instant of the calendar") from error
