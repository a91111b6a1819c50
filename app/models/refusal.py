"""How often a caller was refused for want of a valid token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Refusal(Base):
    """Refused calls of one ``source`` (an address, or the identifier of a token) in the minute that began then."""

    __tablename__ = "refusals"

    source: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]
