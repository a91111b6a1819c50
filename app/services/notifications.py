"""Notifications of the federation: spikes and failed runs that somebody should look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.repositories.registry import Registry


class NotificationService:
    """The use cases of notifications."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[dict[str, Any]]:
        """Give notifications in the order of their keys, beginning behind ``after``."""
        return self._registry.list_notifications(after=after, limit=limit)
