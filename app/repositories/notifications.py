"""The outbox of notifications: written with a run's final state, delivered afterwards."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.notification import Notification


class NotificationRepository:
    """Queries about the outbox, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        *,
        ulid: str,
        kind: str,
        tool: str,
        summary: str,
        values: dict[str, object],
        run_id: int | None = None,
        incident_id: int | None = None,
    ) -> None:
        """Store a notification; a run has at most one of each kind, and so has an incident."""
        row = {"ulid": ulid, "kind": kind, "tool": tool, "summary": summary, "values": values}
        of = {"run_id": run_id, "incident_id": incident_id, "created_at": utc_now()}
        self._session.execute(insert(Notification).values({**row, **of}).on_conflict_do_nothing())

    def undelivered(self, limit: int = 100) -> list[Notification]:
        """Give what is still to be delivered, oldest first."""
        query = select(Notification).where(Notification.delivered_at.is_(None)).order_by(Notification.ulid)
        return list(self._session.scalars(query.limit(limit)))

    def mark_delivered(self, ulid: str) -> None:
        """Note that it was delivered."""
        self._session.execute(update(Notification).where(Notification.ulid == ulid).values(delivered_at=utc_now()))
