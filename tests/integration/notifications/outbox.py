"""An agent's outbox over a real database, for a test or for a process that a test kills."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from app.repositories import addresses
from app.repositories.database import Database
from app.repositories.deliveries import DeliveryRepository, Listed
from app.repositories.notifications import NotificationRepository
from app.services.agent_context import AgentContext
from app.services.deliveries import Courier, spread
from app.settings import load
from tests.integration.notifications.receivers import SECRET

WAIT_SECONDS = 20.0


class Outbox:
    """Notifications, and the agent that sends them; ``given`` are keys of the section NOTIFICATIONS."""

    def __init__(self, database: Database, folder: Path, registry: Any = None, **given: str) -> None:
        known = {"webhook_secrets": SECRET, **given}
        environ = {f"MAO_NOTIFICATIONS_{key.upper()}": value for key, value in known.items()}
        self.database = database
        self.context = AgentContext(
            settings=load({"MAO_WORKING_ENVIRONMENT_NODE": "n", **environ}, folder),
            database=database,
            registry=registry,
            workdirs=None,  # type: ignore[arg-type]
            executors={},
            installation="i",
            webhook_key="k",
            epoch=1,
            lost=threading.Event(),
        )
        self.courier = Courier(self.context)

    def add(self, ulid: str, **changes: Any) -> None:
        """Store a notification."""
        known = {
            "ulid": ulid,
            "kind": "spike",
            "tool": "visitors",
            "summary": "412 where 900 was expected.",
            "values": {},
        }
        with self.database.transaction() as session:
            NotificationRepository(session).add(**{**known, **changes})

    def send(self) -> None:
        """Spread what is new, and send what is due until nothing more is in hand."""
        spread(self.context)
        self.courier.work()
        self.rest()

    def rest(self) -> None:
        """Wait until every receiver that was being served is so no more."""
        for thread in [thread for thread in threading.enumerate() if thread.name == "deliveries"]:
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

    def make_due(self) -> None:
        """Let the pauses of all deliveries be over."""
        self.change("update deliveries set due_at = now() where state = 'pending'")

    def change(self, statement: str) -> None:
        """Change rows."""
        with self.database.transaction() as session:
            session.execute(text(statement))

    def deliveries(self, **options: Any) -> list[Listed]:
        """Give what became of them, the newest first."""
        with self.database.transaction() as session:
            return list(DeliveryRepository(session).list(**options))

    def only(self) -> Listed:
        """Give what became of the only one."""
        (delivery,) = self.deliveries()
        return delivery


def main() -> None:
    """Send what is due, as a process of its own: ``url`` of the database, ``folder``, ``given`` and ``names``."""
    work: Mapping[str, Any] = json.load(sys.stdin)

    def ask(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (work["names"][host], port))]

    with patch.object(addresses.socket, "getaddrinfo", ask):
        Outbox(Database(work["url"]), Path(work["folder"]), **work["given"]).send()


if __name__ == "__main__":
    main()
