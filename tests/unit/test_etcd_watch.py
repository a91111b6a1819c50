from __future__ import annotations

import threading
from collections.abc import Iterator

from app.errors import RegistryDown
from app.repositories.etcd_watch import Snapshot, differences, follow
from app.repositories.kv import Change, Entry


def entry(key: str, revision: int) -> Entry:
    return Entry(key, f"value {revision}", revision)


def snapshot(revision: int, **revisions: int) -> Snapshot:
    return {key: entry(key, r) for key, r in revisions.items()}, revision


def test_differences_lead_from_what_is_known_to_what_is_there() -> None:
    now, _ = snapshot(9, same=1, changed=8, new=9)
    assert differences({"same": 1, "changed": 2, "gone": 3}, now) == [
        Change("gone", None),
        Change("changed", entry("changed", 8)),
        Change("new", entry("new", 9)),
    ]


def test_a_lost_stream_is_made_good_by_a_list_and_another_stream() -> None:
    stop = threading.Event()
    begun_at: list[int] = []
    lists: list[Snapshot | None] = [None, snapshot(8, kept=1, a=7)]

    def take_snapshot() -> Snapshot:
        if (answer := lists.pop(0)) is None:
            raise RegistryDown("Still down.")
        return answer

    def open_stream(revision: int) -> Iterator[Change]:
        begun_at.append(revision)
        if len(begun_at) == 1:
            yield Change("a", entry("a", 4))
            yield Change("b", entry("b", 5))
            raise RegistryDown("Lost.")
        yield Change("c", entry("c", 9))
        stop.set()

    changes = list(follow(snapshot(3, kept=1), take_snapshot, open_stream, stop))
    assert begun_at == [3, 8]
    assert changes == [
        Change("a", entry("a", 4)),
        Change("b", entry("b", 5)),
        Change("b", None),
        Change("a", entry("a", 7)),
        Change("c", entry("c", 9)),
    ]
