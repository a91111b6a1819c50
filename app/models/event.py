"""The log of a run: one row for each change of state."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class RunEvent(Base):
    """One change of a run's state: when, from what, to what, by whom and why."""

    __tablename__ = "run_events"
    __table_args__ = (Index("ix_run_events_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    actor: Mapped[str]
    cause: Mapped[str | None]
