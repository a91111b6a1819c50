"""Definition tools on this node: asked for through the API, installed by the agent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Sequence
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

NUMBERS = Sequence("installation_numbers", metadata=Base.metadata)
"""Every attempt to install something has a number of its own: in it are its folder's and its container's name."""


class InstallationState(StrEnum):
    """Where the installation of a tool stands."""

    REQUESTED = "REQUESTED"
    INSTALLING = "INSTALLING"
    READY = "READY"
    FAILED = "FAILED"
    REMOVING = "REMOVING"


class How(StrEnum):
    """Where an installer runs, and the commands after it."""

    CONTAINER = "container"
    PROCESS = "process"


class Installation(Base):
    """A tool's code on this node, or the wish for it. ``name`` is the tool's.

    ``branch`` and ``wanted_commit`` say what is asked for; both empty: the remote's default branch. ``number`` is that
    of the last attempt. ``current`` is the number of the attempt that can be used, and ``code_url``, ``commit``,
    ``definition``, ``how`` and ``installed_at`` are about that one: it stays until another one is ready. ``log`` is the
    end of what the last installer printed.
    """

    __tablename__ = "installations"

    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    branch: Mapped[str] = mapped_column(server_default="")
    wanted_commit: Mapped[str] = mapped_column(server_default="")
    number: Mapped[int | None] = mapped_column(BigInteger)
    current: Mapped[int | None] = mapped_column(BigInteger)
    code_url: Mapped[str | None]
    commit: Mapped[str | None]
    definition: Mapped[dict[str, Any] | None]
    how: Mapped[str | None]
    message: Mapped[str] = mapped_column(server_default="")
    log: Mapped[str] = mapped_column(server_default="")
    installed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]

    @property
    def is_usable(self) -> bool:
        """Whether runs find it now."""
        return self.current is not None and self.state != InstallationState.REMOVING
