"""The audit log: no change through the API without its row, which is stored before the change is made."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.errors import DatabaseDown
from app.models.audit import AuditEntry
from app.models.token import Identity, Permission
from app.repositories.audit import AuditRepository
from app.repositories.database import Database

NOBODY = "(nobody)"
"""The actor of a call without a valid token. No token can have a name like this."""

_log = logging.getLogger(__name__)


class AuditService:
    """Records who changed what, and shows it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        actor: str,
        action: str,
        target: str,
        *,
        owner: str | None = None,
        address: str | None = None,
        request_id: str | None = None,
        details: dict[str, Any] | None = None,
        result: str | None = None,
        is_ordered: bool = False,
    ) -> int:
        """Store that a change is under way (or, with ``result``, what came of it), and give the number of its row.

        With ``is_ordered`` the row does not wait for the disk by itself. That is right where the change itself is a
        later commit to this database which does wait: PostgreSQL writes its log in order, so no crash keeps the change
        and forgets the row.
        """
        transaction = self._database.repeatable_transaction if is_ordered else self._database.transaction
        with transaction() as session:
            return AuditRepository(session).add(
                actor,
                action,
                target,
                owner=owner,
                address=address,
                request_id=request_id,
                result=result,
                details=details,
            )

    def finish(self, entry_id: int, result: str, details: dict[str, Any] | None = None) -> None:
        """Say what came of a change; ``details`` replaces what ``begin`` was told.

        The change is made, or it is not: where PostgreSQL does not answer any more, the row stays without a result,
        and the caller gets the answer all the same.
        """
        try:
            with self._database.repeatable_transaction() as session:
                AuditRepository(session).finish(entry_id, result, details or {})
        except DatabaseDown:
            _log.warning("Entry %s of the audit log stays without its result '%s'.", entry_id, result)

    def note(self, actor: str, action: str, target: str, details: dict[str, Any] | None = None) -> None:
        """Record something that a program of ours has done, as one row with the result ``done``."""
        self.begin(actor, action, target, details=details, result="done")

    def list(
        self,
        identity: Identity,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Give entries, newest first, beginning behind the one numbered ``after``.

        Without ``registry_admin`` an identity reads what the tokens of its owner did, and nothing else.
        """
        with self._database.transaction() as session:
            return AuditRepository(session).list(
                owner=identity.reach(Permission.REGISTRY_ADMIN),
                actor=actor,
                action=action,
                target=target,
                since=since,
                until=until,
                after=after,
                limit=limit,
            )
