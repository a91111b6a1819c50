"""Spares everybody else the wait for a server that has just let somebody wait in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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
        has_waited_in_vain: bool | None = None
        try:
            yield
            has_waited_in_vain = False
        except (DatabaseDown, PoolTimeout):
            # Refused before the server was asked, which says nothing about it.
            raise
        except DBAPIError as error:
            has_waited_in_vain = isinstance(error.orig, DeadlinePassed)
            raise
        except Exception:
            # Whatever forbade the work, the server had answered: nobody else is to wait because of it.
            has_waited_in_vain = False
            raise
        finally:
            self._note(has_waited_in_vain)

    def _enter(self) -> None:
        with self._lock:
            if self._closed_until is None:
                return
            now = time.monotonic()
            if now < self._closed_until:
                raise DatabaseDown("PostgreSQL does not answer.", hint="It was asked a moment ago; try again.")
            # Whoever comes here tries for all; the next one tries only when this one should have come back.
            self._closed_until = now + _TRIAL_SECONDS

    def _note(self, has_waited_in_vain: bool | None) -> None:
        """Note what is known of the server now; None says nothing new, and only ends a trial."""
        with self._lock:
            rested_at = time.monotonic() + REST_SECONDS
            if has_waited_in_vain is not None:
                self._closed_until = rested_at if has_waited_in_vain else None
            elif self._closed_until is not None:
                self._closed_until = min(self._closed_until, rested_at)
