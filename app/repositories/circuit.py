"""Spares everybody else the wait for a server that has just let somebody wait in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from app.errors import DatabaseDown
from app.repositories.deadlines import ASK_SECONDS, DeadlinePassed

REST_SECONDS = 1.0
_TRIAL_SECONDS = ASK_SECONDS + REST_SECONDS


class Circuit:
    """Refuses work at once for ``REST_SECONDS`` after a deadline has passed; then lets one through that tries.

    Without it a frozen server would take every thread of the API for seconds, again and again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed_until: float | None = None

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Watch the database work of the block.

        Raises:
            DatabaseDown: the server let somebody wait in vain a moment ago.
        """
        self._enter()
        try:
            yield
        except DBAPIError as error:
            self._note(has_waited_in_vain=isinstance(error.orig, DeadlinePassed))
            raise
        else:
            self._note(has_waited_in_vain=False)

    def _enter(self) -> None:
        with self._lock:
            if self._closed_until is None:
                return
            now = time.monotonic()
            if now < self._closed_until:
                raise DatabaseDown("PostgreSQL does not answer.", hint="It was asked a moment ago; try again.")
            # Whoever comes here tries for all; the next one tries only when this one should have come back.
            self._closed_until = now + _TRIAL_SECONDS

    def _note(self, *, has_waited_in_vain: bool) -> None:
        with self._lock:
            self._closed_until = time.monotonic() + REST_SECONDS if has_waited_in_vain else None
