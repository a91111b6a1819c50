"""The only reading of the time."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Give the present instant, aware, in UTC."""
    return datetime.now(UTC)
