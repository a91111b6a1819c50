"""Idempotency keys in PostgreSQL."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.idempotency import IdempotencyKey


class IdempotencyRepository:
    """Queries about the keys of one submitter of an owner, over one session; never commits."""

    def __init__(self, session: Session, owner: str, submitter: str) -> None:
        self._session = session
        self._owner = owner
        self._submitter = submitter

    def lock(self, key: str) -> None:
        """Wait until nobody else is using the key, and keep it to this transaction.

        The primary key alone would stop a second run, but only after a number had been taken for it, and its
        transaction would be lost.
        """
        whole = func.hashtextextended(f"{self._owner} {self._submitter} {key}", 0)
        self._session.execute(select(func.pg_advisory_xact_lock(whole)))

    def find(self, key: str) -> IdempotencyKey | None:
        """Give what the key has made, or None."""
        return self._session.get(IdempotencyKey, (self._owner, self._submitter, key))

    def add(self, key: str, body_sha256: str, run_id: int) -> None:
        """Store that the key has made a run."""
        row = {"key": key, "body_sha256": body_sha256, "run_id": run_id, "created_at": utc_now()}
        self._session.add(IdempotencyKey(owner=self._owner, submitter=self._submitter, **row))
        self._session.flush()
