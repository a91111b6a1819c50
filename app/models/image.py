"""Images that runs of this node have used."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Image(Base):
    """An image by its id; only one that the agent itself has pulled (``is_ours``) may ever be removed."""

    __tablename__ = "images"

    image_id: Mapped[str] = mapped_column(primary_key=True)
    reference: Mapped[str]
    is_ours: Mapped[bool] = mapped_column(server_default=text("false"))
    pulled_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime]
