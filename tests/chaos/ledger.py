"""What was asked for and what was answered: the client's side of the evidence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Submission:
    """One wish for a run: its idempotency key, and the numbers that were answered to it."""

    key: str
    tool: str
    infrastructure_retries: int = 0
    tool_retries: int = 0
    answered: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Appointment:
    """A job that was accepted, and the instant at which it is due first; some are due again every minute."""

    job_id: str
    at: datetime
    is_minutely: bool = False


class Ledger:
    """Written by the threads of the load, read by the checker."""

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.appointments: list[Appointment] = []
        self.stopped: set[int] = set()
        self.answers: dict[int, int] = {}
        self.troubles: list[str] = []
        self._lock = threading.Lock()

    def note(self, work: Callable[[], object]) -> None:
        """Change the ledger while nobody else does."""
        with self._lock:
            work()

    def count(self, status: int) -> None:
        """Count an answer of the API by its status."""
        with self._lock:
            self.answers[status] = self.answers.get(status, 0) + 1

    def accepted(self) -> dict[int, Submission]:
        """Give every number that the API has answered, with what was asked for."""
        with self._lock:
            return {run_id: submission for submission in self.submissions for run_id in submission.answered}
