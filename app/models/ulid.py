"""Identifiers that sort by time: 48 bits of milliseconds, then 80 random bits (the ULID format)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: without I, L, O and U, which are misread."""

LENGTH = 26
RANDOM_BYTES = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def ulid(at: datetime, randomness: bytes) -> str:
    """Build the identifier of an aware instant from 1970 on and 10 random bytes: 26 characters.

    Raises:
        ValueError: ``at`` lies before 1970 or is not aware, or ``randomness`` is not 10 bytes.
    """
    if at.tzinfo is None or at < _EPOCH:
        raise ValueError("at must be an aware instant from 1970 on")
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"randomness must be {RANDOM_BYTES} bytes")
    milliseconds = (at - _EPOCH) // _MILLISECOND
    number = milliseconds << 8 * RANDOM_BYTES | int.from_bytes(randomness, "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH)))
