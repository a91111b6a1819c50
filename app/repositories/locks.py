"""The locks of the federation, in etcd below ``/mao/locks/``."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from app.errors import NotFound, StaleRevision
from app.models.lock import Holder, Lock
from app.models.names import NAME_PATTERN, checked_name
from app.repositories.kv import Entry, KvStore, Lease
from app.repositories.registry import readable
from app.repositories.stored_json import Broken, decoded, encoded

_PREFIX = "/mao/locks/"
_KINDS = {"run_id": int, "node": str, "installation": str, "epoch": int, "since": str}
_MOST = 100_000


class LockRepository:
    """Locks over a key-value store. Every method raises ``RegistryDown`` when the store does not answer."""

    def __init__(self, kv: KvStore) -> None:
        self._kv = kv

    def list(self, *, after: str = "", limit: int = 100) -> list[Lock]:
        """Give locks in the order of their keys, beginning behind the key ``after``."""
        return readable(self._kv, _PREFIX, after, limit, _lock)

    def held(self) -> dict[str, Lock]:
        """Give every lock that is held, by its key."""
        return {lock.key: lock for lock in self.list(limit=_MOST)}

    def take(self, keys: Sequence[str], holder: Holder, now: datetime, *, ttl_seconds: int) -> Lease:
        """Take all locks in one transaction, or none.

        Where the answer is lost, they may be taken all the same; ``held`` shows it.

        Raises:
            AlreadyExists: one of them is held.
        """
        value = encoded({**asdict(holder), "since": now.isoformat()})
        entries = {_PREFIX + checked_name(key, "locks"): value for key in keys}
        return self._kv.create_all(entries, ttl_seconds=ttl_seconds)

    def renew(self, lease: int) -> bool:
        """Keep the locks of a lease for another while; give False where it is over."""
        return self._kv.keep_alive(lease)

    def give_back(self, lease: int) -> None:
        """Free the locks of a lease; one that is over already is no error."""
        self._kv.revoke(lease)

    def break_lock(self, key: str) -> Lock:
        """Delete a lock from under its holder, and give it as it was.

        Raises:
            NotFound: nobody holds it, or it has just gone from one holder to another.
        """
        entry = self._kv.get(_PREFIX + key) if re.fullmatch(NAME_PATTERN, key) else None
        if entry is None:
            raise _not_held(key)
        try:
            self._kv.delete(entry.key, entry.revision)
        except StaleRevision as error:
            raise _not_held(key) from error
        return _lock(entry)

    def watch_freed(self, stop: threading.Event) -> Iterator[str]:
        """Give the key of every lock that becomes free from now on, until ``stop`` is set."""
        changes = self._kv.watch(_PREFIX, stop)
        return (change.key.removeprefix(_PREFIX) for change in changes if change.entry is None)


def _lock(entry: Entry) -> Lock:
    key = entry.key.removeprefix(_PREFIX)
    if not re.fullmatch(NAME_PATTERN, key):
        raise Broken("its key does not end in a name")
    holder, since = _holder(entry.value)
    return Lock(key, holder, since, entry.revision, entry.lease)


def _holder(value: str) -> tuple[Holder | None, datetime | None]:
    # Whatever stands there holds the lock, so what cannot be read is shown and not left out.
    try:
        values = decoded(value, _KINDS)
        since = datetime.fromisoformat(values["since"])
        holder = Holder(**{name: values[name] for name in _KINDS.keys() - {"since"}})
    except (Broken, KeyError, ValueError):
        return None, None
    is_sound = since.tzinfo is not None and re.fullmatch(NAME_PATTERN, holder.node) is not None
    return (holder, since) if is_sound else (None, None)


def _not_held(key: str) -> NotFound:
    return NotFound(f"Nobody holds the lock '{key[:80]}'.", hint="List the locks with: maoctl lock get")
