"""Follow what happens below a prefix for ever, although every stream from etcd ends some day."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping

from app.errors import RegistryDown
from app.repositories.kv import Change, Entry

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5

Snapshot = tuple[dict[str, Entry], int]
"""All entries below a prefix, and the store's revision when they were read."""


def follow(
    first: Snapshot,
    take_snapshot: Callable[[], Snapshot],
    open_stream: Callable[[int], Iterator[Change]],
    stop: threading.Event,
) -> Iterator[Change]:
    """Give every change after the snapshot ``first``; after each lost stream, what differs from what was given.

    ``open_stream`` gives the changes behind a revision and ends, or raises ``RegistryDown``, when it can give no more.
    Several changes of one key during an outage come as one: the last.
    """
    entries, revision = first
    known = {key: entry.revision for key, entry in entries.items()}
    while not stop.is_set():
        try:
            for change in open_stream(revision):
                _remember(known, change)
                yield change
        except RegistryDown as error:
            _log.warning("A watch on the registry was lost and is begun again: %s", error.message)
        # Without the pause a server that refuses every watch would be asked without end.
        stop.wait(_PAUSE_SECONDS)
        fresh = _snapshot_when_possible(take_snapshot, stop)
        if fresh is None:
            return
        entries, revision = fresh
        for change in differences(known, entries):
            _remember(known, change)
            yield change


def differences(known: Mapping[str, int], entries: Mapping[str, Entry]) -> list[Change]:
    """Give the changes that lead from the known revisions of keys to the entries that are there now."""
    gone = [Change(key, None) for key in known if key not in entries]
    return gone + [Change(key, entry) for key, entry in entries.items() if known.get(key) != entry.revision]


def _remember(known: dict[str, int], change: Change) -> None:
    if change.entry is None:
        known.pop(change.key, None)
    else:
        known[change.key] = change.entry.revision


def _snapshot_when_possible(take_snapshot: Callable[[], Snapshot], stop: threading.Event) -> Snapshot | None:
    while not stop.is_set():
        try:
            return take_snapshot()
        except RegistryDown:
            stop.wait(_PAUSE_SECONDS)
    return None
