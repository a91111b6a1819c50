"""The audit log: who changed what, when, from where, and with what result."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class AuditEntry(Base):
    """One change that was asked for, or one call that was refused.

    ``result`` is null while it is under way, and stays so where we were killed; else it is the status of the answer,
    or ``done``. ``actor`` is a token's identifier, a program of ours, or ``(nobody)``. ``action`` names the use case,
    ``target`` what it was done to. ``details`` never holds a secret.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_actor_id", "actor", "id"),
        Index("ix_audit_log_owner_id", "owner", "id"),
        Index("ix_audit_log_action_id", "action", "id"),
        # Targets are searched by how they begin, which only an index in this order can answer in every locale.
        Index("ix_audit_log_target_id", "target", "id", postgresql_ops={"target": "text_pattern_ops"}),
        Index("ix_audit_log_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    owner: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    result: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
