"""How often callers were refused, in PostgreSQL, so that every API process counts together."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.models.refusal import Refusal


class RefusalRepository:
    """Queries about refused calls, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, source: str, minute: datetime) -> int:
        """Give how often a source was refused in a minute."""
        query = select(Refusal.count).where(Refusal.source == source, Refusal.minute == minute)
        return self._session.scalar(query) or 0

    def add(self, source: str, minute: datetime) -> int:
        """Count one more refused call of a source, and give how many there are in the minute."""
        row = insert(Refusal).values(source=source, minute=minute, count=1)
        counted = row.on_conflict_do_update(
            index_elements=[Refusal.source, Refusal.minute], set_={"count": Refusal.count + 1}
        )
        return int(self._session.scalar(counted.returning(Refusal.count)) or 0)

    def forget(self, before: datetime) -> None:
        """Delete what was counted in earlier minutes."""
        self._session.execute(delete(Refusal).where(Refusal.minute < before))
