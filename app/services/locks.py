"""Locks, as a user sees them: who holds what, and breaking one from under its holder."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.models.lock import Lock
from app.models.token import Identity
from app.repositories.locks import LockRepository

log = logging.getLogger(__name__)


class LockService:
    """The use cases of locks. They raise ``RegistryDown`` when etcd does not answer."""

    def __init__(self, locks: LockRepository) -> None:
        self._locks = locks

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Lock]:
        """Give the locks that runs of any node hold, in the order of their keys, beginning behind ``after``."""
        return self._locks.list(after=after, limit=limit)

    def break_lock(self, identity: Identity, key: str) -> None:
        """Delete a lock from under its holder, whose run goes on and gets a warning.

        Raises:
            NotFound: nobody holds it.
        """
        lock = self._locks.break_lock(key)
        log.warning("%s broke the lock %s of run %s on node %s.", identity.identifier, key, lock.run_id, lock.node)
