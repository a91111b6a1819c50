"""The audit log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, insert, select, update
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.audit import AuditEntry


class AuditRepository:
    """Queries about the audit log, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        actor: str,
        action: str,
        target: str,
        *,
        owner: str | None = None,
        address: str | None = None,
        request_id: str | None = None,
        result: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> int:
        """Store an entry and give its number."""
        row = {
            "at": utc_now(),
            "actor": actor,
            "owner": owner,
            "action": action,
            "target": target,
            "address": address,
            "request_id": request_id,
            "result": result,
            "details": details or {},
        }
        return int(self._session.scalar(_ADD, row) or 0)

    def finish(self, entry_id: int, result: str, details: dict[str, Any]) -> None:
        """Say what came of an entry."""
        self._session.execute(_FINISH, {"entry_id": entry_id, "result": result, "details": details})

    def list(
        self,
        *,
        owner: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Give entries, newest first, beginning behind the one numbered ``after``.

        ``target`` is how the target begins; ``since`` is within the time that is wanted, ``until`` is not.
        """
        wanted: list[ColumnElement[bool]] = []
        for column, value in ((AuditEntry.owner, owner), (AuditEntry.actor, actor), (AuditEntry.action, action)):
            if value is not None:
                wanted.append(column == value)
        if target is not None:
            wanted.append(AuditEntry.target.startswith(target, autoescape=True))
        if since is not None:
            wanted.append(AuditEntry.at >= since)
        if until is not None:
            wanted.append(AuditEntry.at < until)
        if after is not None:
            wanted.append(AuditEntry.id < after)
        query = select(AuditEntry).where(*wanted).order_by(AuditEntry.id.desc()).limit(limit)
        return list(self._session.scalars(query))


# Every change brings these two, so they are built once.
_ADD = insert(AuditEntry.__table__).returning(AuditEntry.id)  # type: ignore[arg-type]
_FINISH = (
    update(AuditEntry.__table__)  # type: ignore[arg-type]
    .where(AuditEntry.id == bindparam("entry_id"))
    .values(result=bindparam("result"), details=bindparam("details"))
)
