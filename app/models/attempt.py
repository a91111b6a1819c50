"""The earlier attempts of a run: what each was, and why another one followed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class RunAttempt(Base):
    """An attempt that ended and was followed by another; the last attempt of a run is the run's own row.

    ``first_byte`` is where its output begins within the run's.
    """

    __tablename__ = "run_attempts"

    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node: Mapped[str | None]
    handle: Mapped[str | None]
    image_digest: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime]
    exit_code: Mapped[int | None]
    cause: Mapped[str]
    message: Mapped[str]
    first_byte: Mapped[int] = mapped_column(BigInteger)
