"""What wakes the agent, and the lock that makes it the only one."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.models.run import RunStatus
from app.repositories.clones import CLONE_CHANNEL
from app.repositories.installations import INSTALLATION_CHANNEL
from app.repositories.jobs import JOB_CHANNEL
from app.repositories.listener import Channel
from app.repositories.questions import QUESTION_CHANNEL
from app.repositories.runs import RUN_CHANNEL

_CHANNELS = (RUN_CHANNEL, JOB_CHANNEL, CLONE_CHANNEL, INSTALLATION_CHANNEL, QUESTION_CHANNEL)


@dataclass
class Wakeup:
    """What was told since the last time; ``runs`` are payloads ``<run id>:<new status>``."""

    runs: list[str] = field(default_factory=list)
    has_jobs: bool = False
    has_clones: bool = False
    has_installations: bool = False
    has_questions: bool = False

    @property
    def has_good_runs(self) -> bool:
        """Tell whether runs have succeeded, which may have pushed what the index is to have."""
        return any(payload.endswith(f":{RunStatus.SUCCEEDED}") for payload in self.runs)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was told."""
        has_news = self.has_jobs or self.has_clones or self.has_installations or self.has_questions
        return not (self.runs or has_news)


class Office:
    """One connection to PostgreSQL: it hears what is told, and holds the lock of the only leading agent.

    Every method raises ``DatabaseDown`` when the connection is lost; the lock falls with it.
    """

    def __init__(self, url: str) -> None:
        self._channel = Channel(url, _CHANNELS)

    def try_to_lead(self) -> bool:
        """Take the lock, if no other agent holds it."""
        return self._channel.try_to_lead()

    def dislodge(self) -> bool:
        """End the connections of the agent that holds the lock; give whether there was one."""
        return self._channel.dislodge_leader()

    def check(self) -> None:
        """Make sure that the connection, and with it the lock, is still there."""
        self._channel.check()

    def wait(self, timeout_seconds: float) -> Wakeup:
        """Give what was told, as soon as there is something or the time is over."""
        wakeup = Wakeup()
        for name, payload in self._channel.wait(timeout_seconds):
            if name == RUN_CHANNEL:
                wakeup.runs.append(payload)
            elif name == JOB_CHANNEL:
                wakeup.has_jobs = True
            elif name == CLONE_CHANNEL:
                wakeup.has_clones = True
            elif name == INSTALLATION_CHANNEL:
                wakeup.has_installations = True
            else:
                wakeup.has_questions = True
        return wakeup

    def close(self) -> None:
        """Close the connection and give up the lock."""
        self._channel.close()
