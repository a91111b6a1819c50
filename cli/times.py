"""Instants and lengths of time as people write and read them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from cli.errors import WrongUse

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_LENGTH = re.compile(r"(\d+)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_SECONDS = 100 * 366 * 86400
LENGTH_RULE = "a number of seconds, or a number with s, m, h, d or w (90, 15m, 6h, 30d)"


def now() -> datetime:
    """Give the present instant, aware, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def parse_instant(text: str) -> datetime | None:
    """Read an ISO 8601 instant with a zone; None where ``text`` is something else."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def show_instant(at: datetime) -> str:
    """Give an instant as ``2026-11-22 03:00 UTC``, with seconds where there are any."""
    at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC" if at.second else "%Y-%m-%d %H:%M UTC")


def parse_length(text: str, option: str) -> int:
    """Read a length of time, given with ``option``, and give it in seconds.

    Raises:
        WrongUse: the text breaks the rule.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise WrongUse(f"'{text}' for {option} is not a length of time; it must be {LENGTH_RULE}.")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise WrongUse(f"'{text}' for {option} is too long; a hundred years are the most.")
    return seconds


def parse_deadline(text: str, option: str) -> str:
    """Read an instant, or a length of time from now, given with ``option``, and give the instant in ISO form.

    Raises:
        WrongUse: the text is neither.
    """
    if at := parse_instant(text):
        return at.isoformat()
    if not _LENGTH.fullmatch(text):
        raise WrongUse(
            f"'{text}' for {option} is neither an instant with a zone (2027-01-01T00:00Z) nor {LENGTH_RULE}."
        )
    return (now() + timedelta(seconds=parse_length(text, option))).replace(microsecond=0).isoformat()


def parse_day(text: str, option: str) -> str:
    """Read a day, or a length of time before now, given with ``option``, and give the day (in UTC) as 2026-01-31.

    Raises:
        WrongUse: the text is neither.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date().isoformat()
    except ValueError:
        if not _LENGTH.fullmatch(text):
            raise WrongUse(f"'{text}' for {option} is neither a day (2026-01-31) nor {LENGTH_RULE}.") from None
    return parse_past(text, option)[:10]


def parse_past(text: str, option: str) -> str:
    """Read an instant, or a length of time before now, given with ``option``, and give the instant in ISO form.

    Raises:
        WrongUse: the text is neither.
    """
    if at := parse_instant(text):
        return at.isoformat()
    if not _LENGTH.fullmatch(text):
        raise WrongUse(
            f"'{text}' for {option} is neither an instant with a zone (2026-01-01T00:00Z) nor {LENGTH_RULE}."
        )
    return (now() - timedelta(seconds=parse_length(text, option))).isoformat()
