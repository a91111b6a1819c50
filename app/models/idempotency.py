"""Idempotency keys: what makes a submission that is repeated the same run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class IdempotencyKey(Base):
    """A key that a submitter chose, with the run that it made; ``body_sha256`` tells whether a body is the same."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("ix_idempotency_keys_created_at", "created_at"),
        Index("ix_idempotency_keys_run_id", "run_id"),
    )

    # A token's name may become another owner's, who must not be given what the one before has made.
    owner: Mapped[str] = mapped_column(primary_key=True)
    submitter: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_sha256: Mapped[str]
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
