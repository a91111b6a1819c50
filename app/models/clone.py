"""Local clones of data sets: asked for through the API, made by the agent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class CloneState(StrEnum):
    """Where a local clone stands."""

    REQUESTED = "REQUESTED"
    CLONING = "CLONING"
    READY = "READY"
    FAILED = "FAILED"
    REMOVING = "REMOVING"


BUSY = frozenset({CloneState.REQUESTED, CloneState.CLONING, CloneState.REMOVING})
"""The states in which no run may begin to use the clone."""


class Clone(Base):
    """A data set's clone on this node, or the wish for one. ``name`` is also its folder in the import directory.

    A clone with a ``commit`` is a retrieved snapshot: it shows exactly that commit and is never refreshed.
    ``history`` is how much of the remote's past a new one gets. ``indexed_commit`` is the head whose snapshots are all
    known.
    """

    __tablename__ = "clones"

    name: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    branch: Mapped[str | None]
    history: Mapped[str | None]
    commit: Mapped[str | None]
    state: Mapped[str]
    is_removal_forced: Mapped[bool] = mapped_column(server_default=text("false"))
    progress_percent: Mapped[int] = mapped_column(server_default="0")
    message: Mapped[str] = mapped_column(server_default="")
    head_commit: Mapped[str | None]
    indexed_commit: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime]
