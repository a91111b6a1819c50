"""The earlier attempts of runs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.attempt import RunAttempt


class AttemptRepository:
    """Queries about attempts, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, attempt: RunAttempt) -> None:
        """Store an attempt that was followed by another."""
        self._session.add(attempt)
        self._session.flush()

    def list(self, run_id: int) -> Sequence[RunAttempt]:
        """Give a run's earlier attempts, oldest first; there are few."""
        query = select(RunAttempt).where(RunAttempt.run_id == run_id).order_by(RunAttempt.number)
        return list(self._session.scalars(query))
