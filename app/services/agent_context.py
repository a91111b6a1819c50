"""What every part of the agent works with."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.executors.base import Executor
from app.repositories.database import Database
from app.repositories.registry import Registry
from app.repositories.workdirs import Workdirs
from app.settings import Settings


@dataclass(frozen=True)
class AgentContext:
    """One term of office of one agent: its fencing ``epoch`` holds until ``lost`` is set.

    ``webhook_key`` is what the webhook ids of runs are made with.
    """

    settings: Settings
    database: Database
    registry: Registry
    workdirs: Workdirs
    executors: Mapping[str, Executor]
    installation: str
    webhook_key: str = field(repr=False)
    epoch: int
    lost: threading.Event

    @property
    def node(self) -> str:
        """The name of this node."""
        return self.settings.node

    @property
    def actor(self) -> str:
        """Who the event log names for what the agent does."""
        return f"agent@{self.node}"
