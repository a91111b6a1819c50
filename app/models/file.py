"""Files that were uploaded to a run. The bytes lie in a folder of the node, the rows say what should be there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class RunFile(Base):
    """One file of one run; ``file_id`` is the name that its uploader chose, ``sha256`` the hex digest of its bytes."""

    __tablename__ = "run_files"
    __table_args__ = (
        Index("uq_run_files_run_id_file_id", "run_id", "file_id", unique=True),
        Index("ix_run_files_uploaded_at", "uploaded_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="CASCADE"))
    file_id: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    uploaded_by: Mapped[str]
    uploaded_at: Mapped[datetime]
