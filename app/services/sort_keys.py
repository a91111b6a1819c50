"""Texts that sort as bytes in the order of a series."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time

from app.services.dated_names import date_of, order_key

_MOST_BYTES = 500
"""A row of an index of PostgreSQL has less than 2,700 bytes; the names of clone, tool and metric are in it too."""
_HASH_DIGITS = 16


def key_of_name(name: str) -> str:
    """Give a text that sorts as ``order_key`` does: by the dates and numbers in the name, then by the name."""
    numbers, _ = order_key(name)
    # The count of digits comes first, so that 9 is before 10. A space is before every other separator.
    return _short(".".join(f"{len(digits := str(number)):03d}{digits}" for number in numbers) + " " + printable(name))


def key_of_time(at: datetime, number: int = 0) -> str:
    """Give a text that sorts by time, and within the same microsecond by ``number``."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')} {number:020d}"


def time_of_name(name: str) -> datetime | None:
    """Give the beginning of the day that is in a name, in UTC, or None where none is."""
    day: date | None = date_of(name)
    return datetime.combine(day, time(), UTC) if day else None


def printable(name: str) -> str:
    """Give a file's name as PostgreSQL can keep it: bytes that are not UTF-8 as escapes, and a long one cut.

    What is cut ends in a hash of the whole, so that different names stay different.
    """
    return _short(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _short(text: str) -> str:
    whole = text.encode("utf-8")
    if len(whole) <= _MOST_BYTES:
        return text
    kept = whole[: _MOST_BYTES - _HASH_DIGITS - 1].decode("utf-8", "ignore")
    return f"{kept}~{hashlib.sha256(whole).hexdigest()[:_HASH_DIGITS]}"
