"""The key-value store on a real etcd."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.errors import AlreadyExists, StaleRevision
from app.repositories import etcd_leases
from app.repositories.etcd_members import Members, checked_endpoints
from app.repositories.etcd_watch import Snapshot, follow
from app.repositories.kv import Change, Entry, Lease
from app.settings import Etcd

_PAGE_ENTRIES = 64
"""Etcd takes values of up to 1.5 MB; this many of them fit into one message of 128 MB with room to spare."""

_ANY_KEY = "/mao"
"""What is read, whether it is there or not, to learn whether a member answers."""

_WATCH_SECONDS = 120.0
"""How long one stream lasts before it is opened anew, so that one which died silently costs minutes, not for ever."""


class EtcdKv:
    """A ``KvStore`` in etcd. It connects on first use, and again in every process that is forked off."""

    def __init__(self, settings: Etcd) -> None:
        """Take note of the settings; open no connection.

        Raises:
            Invalid: the address is not ``host:port``, or half of a login or of a certificate is missing.
        """
        self._settings = settings
        self._endpoints = checked_endpoints(settings)
        self._by_process: dict[int, Members] = {}

    def get(self, key: str) -> Entry | None:
        """Give the entry, or None."""
        members = self._members()
        answer = members.read("kvstub", "Range", members.messages.RangeRequest(key=_bytes(key)))
        return _entry(answer.kvs[0]) if answer.kvs else None

    def list(self, prefix: str, *, after: str = "", limit: int = 500) -> list[Entry]:
        """Give the entries below ``prefix`` in the order of their keys, beginning behind the key ``after``."""
        found: list[Entry] = []
        for entries, _ in self._pages(prefix, after, limit):
            found += entries
        return found

    def create(self, key: str, value: str) -> int:
        """Store a new key in one transaction and give its revision."""
        messages = self._members().messages
        compare = messages.Compare(
            key=_bytes(key), target=messages.Compare.CREATE, result=messages.Compare.EQUAL, create_revision=0
        )
        answer = self._transact(key, compare, messages.RequestOp(request_put=self._put_request(key, value)))
        if not answer.succeeded:
            raise AlreadyExists(f"The key '{key}' is there already.")
        return int(answer.header.revision)

    def replace(self, key: str, value: str, revision: int) -> int:
        """Store a value over the revision that the caller has read; give the new revision."""
        operation = self._members().messages.RequestOp(request_put=self._put_request(key, value))
        return self._change(key, revision, operation)

    def put(self, key: str, value: str, *, ttl_seconds: int | None = None) -> int:
        """Store a value whatever was there; with ``ttl_seconds`` it vanishes by itself. Give the revision."""
        members = self._members()
        request = self._put_request(key, value)
        if ttl_seconds is not None:
            request.lease = etcd_leases.grant(members, self._probe(key), ttl_seconds)
        return int(members.write(self._probe(key), "kvstub", "Put", request).header.revision)

    def delete(self, key: str, revision: int) -> None:
        """Delete the revision that the caller has read."""
        messages = self._members().messages
        request = messages.DeleteRangeRequest(key=_bytes(key))
        self._change(key, revision, messages.RequestOp(request_delete_range=request))

    def create_all(self, entries: Mapping[str, str], *, ttl_seconds: int) -> Lease:
        """Store new keys under a lease of their own in one transaction: all of them, or none."""
        stored = {_bytes(key): _bytes(value) for key, value in entries.items()}
        return etcd_leases.create_all(self._members(), self._probe(min(entries)), stored, ttl_seconds)

    def keep_alive(self, lease: int) -> bool:
        """Begin the time of a lease anew; give False where it is over, and its keys are gone."""
        return etcd_leases.keep_alive(self._members(), lease)

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys; one that is over already is no error."""
        etcd_leases.revoke(self._members(), self._probe(_ANY_KEY), lease)

    def watch(self, prefix: str, stop: threading.Event) -> Iterator[Change]:
        """Give every change below ``prefix`` from now on, across reconnections, until ``stop`` is set.

        What happened while the connection was lost comes as one change a key: the last.
        """

        def take_snapshot() -> Snapshot:
            return self._snapshot(prefix)

        def open_stream(revision: int) -> Iterator[Change]:
            return self._stream(prefix, revision, stop)

        return follow(take_snapshot(), take_snapshot, open_stream, stop)

    def ping(self) -> str:
        """Give the store's version, if it answers and its members agree on a leader."""
        members = self._members()
        # A member without a quorum still tells its version; only a read shows whether the registry can be used.
        members.read("kvstub", "Range", self._probe(_ANY_KEY))
        return str(members.read("maintenancestub", "Status", members.messages.StatusRequest()).version)

    def _members(self) -> Members:
        # A connection must not cross a fork: the child would wait for ever for threads that it does not have.
        process = os.getpid()
        if (members := self._by_process.get(process)) is None:
            # A child that was forked off while a thread of its parent connected finds the lock closed for good, so
            # no lock guards this step. Whoever comes second drops what it made, which holds no connection yet.
            members = self._by_process.setdefault(process, Members(self._endpoints, self._settings))
        return members

    def _probe(self, key: str) -> Any:
        return self._members().messages.RangeRequest(key=_bytes(key), keys_only=True)

    def _put_request(self, key: str, value: str) -> Any:
        return self._members().messages.PutRequest(key=_bytes(key), value=_bytes(value))

    def _change(self, key: str, revision: int, operation: Any) -> int:
        messages = self._members().messages
        compare = messages.Compare(
            key=_bytes(key), target=messages.Compare.MOD, result=messages.Compare.EQUAL, mod_revision=revision
        )
        answer = self._transact(key, compare, operation)
        if not answer.succeeded:
            raise StaleRevision(f"The key '{key}' was changed or deleted since revision {revision}.")
        return int(answer.header.revision)

    def _transact(self, key: str, compare: Any, operation: Any) -> Any:
        members = self._members()
        request = members.messages.TxnRequest(compare=[compare], success=[operation])
        return members.write(self._probe(key), "kvstub", "Txn", request)

    def _pages(self, prefix: str, after: str, limit: int | None) -> Iterator[tuple[Sequence[Entry], int]]:
        """Give pages of entries, each with the store's revision when it was read."""
        members = self._members()
        start, end = _bytes(max(prefix, after + "\0" if after else "")), _end_of(prefix)
        left = limit
        while start < end and (left is None or left > 0):
            count = _PAGE_ENTRIES if left is None else min(left, _PAGE_ENTRIES)
            request = members.messages.RangeRequest(key=start, range_end=end, limit=count)
            answer = members.read("kvstub", "Range", request)
            yield [_entry(kv) for kv in answer.kvs], int(answer.header.revision)
            if len(answer.kvs) < count:
                return
            start = answer.kvs[-1].key + b"\0"
            left = None if left is None else left - count

    def _snapshot(self, prefix: str) -> Snapshot:
        entries: dict[str, Entry] = {}
        revisions = []
        for page, revision in self._pages(prefix, "", None):
            entries.update((entry.key, entry) for entry in page)
            revisions.append(revision)
        # Changes made between two pages come again through the stream, which begins behind the first page.
        return entries, revisions[0]

    def _stream(self, prefix: str, revision: int, stop: threading.Event) -> Iterator[Change]:
        members = self._members()
        wanted = members.messages.WatchCreateRequest(
            key=_bytes(prefix), range_end=_end_of(prefix), start_revision=revision + 1
        )
        request = members.messages.WatchRequest(create_request=wanted)
        for response in members.watch(request, stop, _WATCH_SECONDS):
            # Cancelled by the server: the revision was compacted away, or the right to read was withdrawn.
            # A store that is behind our revision was set back to older data. Both call for a new list.
            if response.canceled or response.compact_revision or response.header.revision < revision:
                return
            for event in response.events:
                key = _text(event.kv.key)
                yield Change(key, None if event.type == event.DELETE else _entry(event.kv))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(stored: bytes) -> str:
    # Others may write bytes that are no text. They come out as lone surrogates, which every reader can recognise.
    return stored.decode("utf-8", "surrogateescape")


def _entry(kv: Any) -> Entry:
    return Entry(_text(kv.key), _text(kv.value), int(kv.mod_revision), int(kv.lease))


def _end_of(prefix: str) -> bytes:
    """Give the first key behind all keys with this prefix; no byte of UTF-8 is 255, so the last can always grow."""
    start = _bytes(prefix)
    return start[:-1] + bytes([start[-1] + 1])
