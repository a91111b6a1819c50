"""Keeping the locks of this node's runs while PostgreSQL does not answer, and nobody can tell who needs them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from app.errors import RegistryDown
from app.repositories.locks import LockRepository

log = logging.getLogger(__name__)
LONGEST_OUTAGE_SECONDS = 600.0
_LOOKS_A_LEASE = 8


class LeaseRenewer:
    """Remembers the leases that were needed last, across terms of office, and renews those that nobody else does.

    It only renews: a lease is given back by the keeper of a term, which can tell that its run is over. One that was
    given back or has run out is not renewed again.
    """

    def __init__(self, locks: LockRepository, lease_seconds: int) -> None:
        self._locks = locks
        self._pause_seconds = lease_seconds / _LOOKS_A_LEASE
        self._mutex = threading.Lock()
        self._leases: set[int] = set()
        self._told_at = time.monotonic()

    def tell(self, leases: Iterable[int]) -> None:
        """Note which leases are needed now, as PostgreSQL has just said; all others are forgotten."""
        with self._mutex:
            self._leases = set(leases)
            self._told_at = time.monotonic()

    def add(self, lease: int) -> None:
        """Note one more lease that is needed."""
        with self._mutex:
            self._leases.add(lease)

    def work(self, stop: threading.Event) -> None:
        """Look after the leases until ``stop`` is set."""
        while not stop.wait(self._pause_seconds):
            try:
                self.look()
            except RegistryDown as error:
                log.warning("No lock can be renewed: %s", error.message)
            except Exception:
                log.exception("Locks could not be renewed; it is tried again.")

    def look(self) -> None:
        """Renew the leases where PostgreSQL has said nothing for a while, and not for too long a while.

        Raises:
            RegistryDown: etcd does not answer.
        """
        with self._mutex:
            silence, leases = time.monotonic() - self._told_at, set(self._leases)
        if not self._pause_seconds <= silence <= LONGEST_OUTAGE_SECONDS:
            return
        for lease in leases:
            if not self._locks.renew(lease):
                with self._mutex:
                    self._leases.discard(lease)
