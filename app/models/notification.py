"""Notifications: written with the run's final state, delivered to the federation afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Notification(Base):
    """A message in the outbox; ``ulid`` is the last part of its key in etcd, so delivering it twice changes nothing."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_undelivered", "ulid", postgresql_where=text("delivered_at is null")),
        Index("uq_notifications_run_id_kind", "run_id", "kind", unique=True),
    )

    ulid: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    tool: Mapped[str]
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="CASCADE"))
    summary: Mapped[str]
    values: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
