"""The key-value store as a dictionary, for tests; it keeps the contract that etcd keeps."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from app.errors import AlreadyExists, RegistryDown, StaleRevision
from app.repositories.kv import Change, Entry, Lease

_POLL_SECONDS = 0.02


@dataclass
class _Lease:
    seconds: int
    ends_at: float


class MemoryKv:
    """A ``KvStore`` in memory. Set ``is_down`` and every method raises ``RegistryDown``, as if etcd were gone.

    ``monotonic`` gives seconds; a test that hands in its own needs not wait for a lease to end.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.is_down = False
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stored: dict[str, Entry] = {}
        self._leases: dict[int, _Lease] = {}
        self._last_lease = 0
        self._revision = 1
        self._watchers: list[tuple[str, queue.SimpleQueue[Change]]] = []

    def get(self, key: str) -> Entry | None:
        """Give the entry, or None."""
        with self._lock:
            return self._current(key)

    def list(self, prefix: str, *, after: str = "", limit: int = 500) -> list[Entry]:
        """Give the entries below ``prefix`` in the order of their keys, beginning behind the key ``after``."""
        with self._lock:
            self._check_and_expire()
            keys = sorted(key for key in self._stored if key.startswith(prefix) and key > after)
            return [self._stored[key] for key in keys[: max(limit, 0)]]

    def create(self, key: str, value: str) -> int:
        """Store a new key and give its revision."""
        with self._lock:
            if self._current(key) is not None:
                raise AlreadyExists(f"The key '{key}' is there already.")
            return self._store(key, value)

    def replace(self, key: str, value: str, revision: int) -> int:
        """Store a value over the revision that the caller has read; give the new revision."""
        with self._lock:
            self._check_revision(key, revision)
            return self._store(key, value)

    def put(self, key: str, value: str, *, ttl_seconds: int | None = None) -> int:
        """Store a value whatever was there; with ``ttl_seconds`` it vanishes by itself. Give the revision."""
        with self._lock:
            self._check_and_expire()
            return self._store(key, value, 0 if ttl_seconds is None else self._grant(ttl_seconds))

    def delete(self, key: str, revision: int) -> None:
        """Delete the revision that the caller has read."""
        with self._lock:
            self._check_revision(key, revision)
            self._drop(key)

    def create_all(self, entries: Mapping[str, str], *, ttl_seconds: int) -> Lease:
        """Store new keys under a lease of their own: all of them, or none."""
        with self._lock:
            if any(self._current(key) is not None for key in entries):
                raise AlreadyExists("One of the keys is there already.")
            lease = self._grant(ttl_seconds)
            self._revision += 1
            for key in sorted(entries):
                self._put(Entry(key, entries[key], self._revision, lease))
            return Lease(lease, self._revision)

    def keep_alive(self, lease: int) -> bool:
        """Begin the time of a lease anew; give False where it is over, and its keys are gone."""
        with self._lock:
            self._check_and_expire()
            if (known := self._leases.get(lease)) is not None:
                known.ends_at = self._monotonic() + known.seconds
            return known is not None

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys; one that is over already is no error."""
        with self._lock:
            self._check_and_expire()
            self._end(lease)

    def watch(self, prefix: str, stop: threading.Event) -> Iterator[Change]:
        """Give every change below ``prefix`` from now on, until ``stop`` is set."""
        changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        with self._lock:
            self._check_and_expire()
            self._watchers.append((prefix, changes))
        return self._follow((prefix, changes), stop)

    def ping(self) -> str:
        """Give the store's version."""
        with self._lock:
            self._check_and_expire()
        return "memory"

    def _follow(self, watcher: tuple[str, queue.SimpleQueue[Change]], stop: threading.Event) -> Iterator[Change]:
        try:
            while not stop.is_set():
                with self._lock:
                    self._expire()
                try:
                    yield watcher[1].get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    continue
        finally:
            with self._lock:
                self._watchers.remove(watcher)

    def _current(self, key: str) -> Entry | None:
        self._check_and_expire()
        return self._stored.get(key)

    def _check_revision(self, key: str, revision: int) -> None:
        current = self._current(key)
        if current is None or current.revision != revision:
            raise StaleRevision(f"The key '{key}' was changed or deleted since revision {revision}.")

    def _grant(self, ttl_seconds: int) -> int:
        self._last_lease += 1
        self._leases[self._last_lease] = _Lease(ttl_seconds, self._monotonic() + ttl_seconds)
        return self._last_lease

    def _store(self, key: str, value: str, lease: int = 0) -> int:
        self._revision += 1
        self._put(Entry(key, value, self._revision, lease))
        return self._revision

    def _put(self, entry: Entry) -> None:
        self._stored[entry.key] = entry
        self._tell(Change(entry.key, entry))

    def _drop(self, key: str) -> None:
        self._revision += 1
        del self._stored[key]
        self._tell(Change(key, None))

    def _tell(self, change: Change) -> None:
        for prefix, changes in self._watchers:
            if change.key.startswith(prefix):
                changes.put(change)

    def _check_and_expire(self) -> None:
        if self.is_down:
            raise RegistryDown("The registry (etcd) does not answer.")
        self._expire()

    def _expire(self) -> None:
        now = self._monotonic()
        for lease in [lease for lease, known in self._leases.items() if known.ends_at <= now]:
            self._end(lease)

    def _end(self, lease: int) -> None:
        if self._leases.pop(lease, None) is not None:
            for key in [key for key, entry in self._stored.items() if entry.lease == lease]:
                self._drop(key)
