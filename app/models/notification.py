"""Notifications: written with what they tell, spread to whoever is to hear of them afterwards."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Channel(StrEnum):
    """A way out of this node, beside the federation's etcd and the log."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """What became of a message to one receiver."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Notification(Base):
    """A message in the outbox; ``ulid`` is the last part of its key in etcd, so delivering it twice changes nothing.

    ``delivered_at`` says when etcd had it, ``spread_at`` when it was logged and its deliveries were written. A run has
    at most one of each kind, and so has an incident.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_undelivered", "ulid", postgresql_where=text("delivered_at is null")),
        Index("ix_notifications_unspread", "ulid", postgresql_where=text("spread_at is null")),
        Index("uq_notifications_run_id_kind", "run_id", "kind", unique=True),
        Index("uq_notifications_incident_id_kind", "incident_id", "kind", unique=True),
    )

    ulid: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    tool: Mapped[str]
    run_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="CASCADE"))
    incident_id: Mapped[int | None] = mapped_column(BigInteger)
    summary: Mapped[str]
    values: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    spread_at: Mapped[datetime | None]


class Delivery(Base):
    """A notification on its way to one receiver, which ``target`` names without any secret of its address."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_due", "due_at", postgresql_where=text("state = 'pending'")),)

    ulid: Mapped[str] = mapped_column(ForeignKey("notifications.ulid", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime]
    message: Mapped[str | None]
    finished_at: Mapped[datetime | None]
