"""The key-value store as a dictionary, for tests; it keeps the contract that etcd keeps."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.errors import AlreadyExists, RegistryDown, StaleRevision
from app.repositories.kv import Change, Entry

_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class _Stored:
    entry: Entry
    ends_at: float | None


class MemoryKv:
    """A ``KvStore`` in memory. Set ``is_down`` and every method raises ``RegistryDown``, as if etcd were gone.

    ``monotonic`` gives seconds; a test that hands in its own needs not wait for a lease to end.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.is_down = False
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stored: dict[str, _Stored] = {}
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
            return [self._stored[key].entry for key in keys[: max(limit, 0)]]

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
            return self._store(key, value, None if ttl_seconds is None else self._monotonic() + ttl_seconds)

    def delete(self, key: str, revision: int) -> None:
        """Delete the revision that the caller has read."""
        with self._lock:
            self._check_revision(key, revision)
            self._drop(key)

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
        stored = self._stored.get(key)
        return stored.entry if stored else None

    def _check_revision(self, key: str, revision: int) -> None:
        current = self._current(key)
        if current is None or current.revision != revision:
            raise StaleRevision(f"The key '{key}' was changed or deleted since revision {revision}.")

    def _store(self, key: str, value: str, ends_at: float | None = None) -> int:
        self._revision += 1
        entry = Entry(key, value, self._revision)
        self._stored[key] = _Stored(entry, ends_at)
        self._tell(Change(key, entry))
        return self._revision

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
        over = [key for key, stored in self._stored.items() if stored.ends_at is not None and stored.ends_at <= now]
        for key in over:
            self._drop(key)
