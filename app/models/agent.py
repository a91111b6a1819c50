"""The agent's own row: its fencing epoch and its signs of life."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Agent(Base):
    """One row a node. ``epoch`` grows by one each time an agent takes over; ``ticks`` are its internal jobs."""

    __tablename__ = "agents"

    node: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[str]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ticks: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    systems: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class Installation(Base):
    """The one row that tells this installation's containers from those of any other on the same engine.

    ``webhook_key`` (hex) is what the webhook ids of runs are made with; see ``app.services.webhooks``.
    """

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    identifier: Mapped[str]
    webhook_key: Mapped[str]
    created_at: Mapped[datetime]
