"""The narrow view of etcd that this product needs, so that tests can use a fake that keeps the same contract."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """A key with its value; ``revision`` grows with every change of the key (etcd's ``mod_revision``).

    ``lease`` is the number of the lease that the key ends with, 0 where it stays until it is deleted.
    """

    key: str
    value: str
    revision: int
    lease: int = 0


@dataclass(frozen=True)
class Lease:
    """A lease and the keys that were created under it: ``token`` is the revision that made them all.

    Whoever creates one of the keys later gets a greater token, so a write that carries its token can be refused when
    somebody else's is newer.
    """

    id: int
    token: int


@dataclass(frozen=True)
class Change:
    """Something happened to a key: its new entry, or None where it was deleted or its lease ran out."""

    key: str
    entry: Entry | None


class KvStore(Protocol):
    """Keys and values, with compare-and-set. Every method raises ``RegistryDown`` when the store does not answer."""

    def get(self, key: str) -> Entry | None:
        """Give the entry, or None."""

    def list(self, prefix: str, *, after: str = "", limit: int = 500) -> list[Entry]:
        """Give the entries below ``prefix`` in the order of their keys, beginning behind the key ``after``."""

    def create(self, key: str, value: str) -> int:
        """Store a new key in one transaction and give its revision.

        Raises:
            AlreadyExists: the key is there.
        """

    def replace(self, key: str, value: str, revision: int) -> int:
        """Store a value over the revision that the caller has read; give the new revision.

        Raises:
            StaleRevision: the key was changed or deleted since.
        """

    def put(self, key: str, value: str, *, ttl_seconds: int | None = None) -> int:
        """Store a value whatever was there; with ``ttl_seconds`` it vanishes by itself. Give the revision."""

    def delete(self, key: str, revision: int) -> None:
        """Delete the revision that the caller has read.

        Raises:
            StaleRevision: the key was changed or deleted since.
        """

    def create_all(self, entries: Mapping[str, str], *, ttl_seconds: int) -> Lease:
        """Store new keys under a lease of their own in one transaction: all of them, or none.

        Where the answer is lost, the keys may be there all the same until the lease is over.

        Raises:
            AlreadyExists: one of the keys is there.
        """

    def keep_alive(self, lease: int) -> bool:
        """Begin the time of a lease anew; give False where it is over, and its keys are gone."""

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys; one that is over already is no error."""

    def watch(self, prefix: str, stop: threading.Event) -> Iterator[Change]:
        """Give every change below ``prefix`` from now on, across reconnections, until ``stop`` is set."""

    def ping(self) -> str:
        """Give the store's version, if it answers."""
