"""Notifications: what the federation's nodes tell each other, and what became of this node's outside of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from app.clock import utc_now
from app.models.ulid import RANDOM_BYTES, ulid
from app.repositories.database import Database
from app.repositories.deliveries import DeliveryRepository, Listed
from app.repositories.notifications import NotificationRepository
from app.repositories.registry import Registry

TEST = "test"


class NotificationService:
    """The use cases of notifications."""

    def __init__(self, registry: Registry, database: Database) -> None:
        self._registry = registry
        self._database = database

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[dict[str, Any]]:
        """Give notifications in the order of their keys, beginning behind ``after``."""
        return self._registry.list_notifications(after=after, limit=limit)

    def deliveries(
        self, *, state: str | None = None, after: tuple[str, str, str] | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        """Give this node's deliveries, those of the newest notifications first, beginning behind ``after``."""
        with self._database.transaction() as session:
            return DeliveryRepository(session).list(state=state, after=after, limit=limit)

    def test(self) -> str:
        """Write a notification that goes wherever others go, and give its id."""
        now = utc_now()
        identifier = ulid(now, secrets.token_bytes(RANDOM_BYTES))
        with self._database.transaction() as session:
            NotificationRepository(session).add(
                ulid=identifier,
                kind=TEST,
                tool="",
                summary="A test of the ways that notifications take; nothing has happened.",
                values={},
            )
        return identifier
