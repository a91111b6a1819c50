"""Suites that a fake and the real thing both pass: a fake without its contract is a wish."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.errors import AlreadyExists, StaleRevision
from app.repositories.kv import Change, Entry, KvStore, Lease

DEADLINE_SECONDS = 20.0


def wait_until(condition: Callable[[], bool], what: str, timeout_seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until ``condition`` holds; fail the test, saying ``what`` did not happen, when it does not."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"After {timeout_seconds:g} s: {what}")
        time.sleep(0.02)


class Watching:
    """A watch in a thread of its own; ``changes`` grows while the test looks at it."""

    def __init__(self, kv: KvStore, prefix: str) -> None:
        self.changes: list[Change] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._collect, args=(kv.watch(prefix, self._stop),), daemon=True)
        self._thread.start()

    def _collect(self, changes: Iterator[Change]) -> None:
        self.changes.extend(changes)

    def wait_for(self, key: str, value: str | None) -> None:
        def has_come() -> bool:
            return any(c.key == key and (c.entry.value if c.entry else None) == value for c in list(self.changes))

        wait_until(has_come, f"no change of {key} to {value!r} among {self.changes}")

    def end(self) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive(), "the watch goes on although it was told to stop"


@contextmanager
def watching(kv: KvStore, prefix: str) -> Iterator[Watching]:
    seen = Watching(kv, prefix)
    try:
        yield seen
    finally:
        seen.end()


class KvContract:
    """What every ``KvStore`` does. A subclass gives the fixture ``kv``: an empty store."""

    lease_seconds = 3
    """A lifetime that is long enough for a busy machine to renew it in time."""

    def test_what_was_created_is_read_with_its_revision(self, kv: KvStore) -> None:
        revision = kv.create("/mao/t/a", "één ☃")
        assert kv.get("/mao/t/a") == Entry("/mao/t/a", "één ☃", revision)

    def test_a_key_that_is_not_there_is_none(self, kv: KvStore) -> None:
        assert kv.get("/mao/t/a") is None

    def test_a_key_is_created_once(self, kv: KvStore) -> None:
        kv.create("/mao/t/a", "first")
        with pytest.raises(AlreadyExists):
            kv.create("/mao/t/a", "second")
        entry = kv.get("/mao/t/a")
        assert entry is not None and entry.value == "first"

    def test_a_replacement_needs_the_revision_that_was_read(self, kv: KvStore) -> None:
        first = kv.create("/mao/t/a", "1")
        second = kv.replace("/mao/t/a", "2", first)
        assert second > first
        with pytest.raises(StaleRevision):
            kv.replace("/mao/t/a", "3", first)
        assert kv.get("/mao/t/a") == Entry("/mao/t/a", "2", second)

    def test_what_is_not_there_cannot_be_replaced(self, kv: KvStore) -> None:
        with pytest.raises(StaleRevision):
            kv.replace("/mao/t/a", "1", 7)
        assert kv.get("/mao/t/a") is None

    def test_a_deletion_needs_the_revision_that_was_read(self, kv: KvStore) -> None:
        first = kv.create("/mao/t/a", "1")
        second = kv.replace("/mao/t/a", "2", first)
        with pytest.raises(StaleRevision):
            kv.delete("/mao/t/a", first)
        kv.delete("/mao/t/a", second)
        assert kv.get("/mao/t/a") is None
        with pytest.raises(StaleRevision):
            kv.delete("/mao/t/a", second)

    def test_a_key_made_again_has_another_revision(self, kv: KvStore) -> None:
        first = kv.create("/mao/t/a", "1")
        kv.delete("/mao/t/a", first)
        assert kv.create("/mao/t/a", "1") > first

    def test_a_put_stores_whatever_was_there(self, kv: KvStore) -> None:
        first = kv.put("/mao/t/a", "1")
        second = kv.put("/mao/t/a", "2")
        assert second > first
        assert kv.get("/mao/t/a") == Entry("/mao/t/a", "2", second)

    def test_a_put_with_a_lifetime_vanishes_by_itself(self, kv: KvStore) -> None:
        kv.put("/mao/t/short", "x", ttl_seconds=1)
        kv.put("/mao/t/long", "x", ttl_seconds=3600)
        wait_until(lambda: kv.get("/mao/t/short") is None, "the key outlives its lease")
        assert [entry.key for entry in kv.list("/mao/t/")] == ["/mao/t/long"]

    def test_a_later_put_without_lifetime_stays(self, kv: KvStore) -> None:
        kv.put("/mao/t/a", "x", ttl_seconds=1)
        kv.put("/mao/t/b", "x", ttl_seconds=2)
        kv.put("/mao/t/a", "y")
        wait_until(lambda: kv.get("/mao/t/b") is None, "the key outlives its lease")
        entry = kv.get("/mao/t/a")
        assert entry is not None and entry.value == "y"

    def test_a_list_is_in_the_order_of_its_keys_and_keeps_to_its_prefix(self, kv: KvStore) -> None:
        for key in ("/mao/t/b", "/mao/t/a", "/mao/u/z", "/mao/t/a-1", "/mao/s/z", "/mao/tt"):
            kv.create(key, key)
        assert [entry.key for entry in kv.list("/mao/t/")] == ["/mao/t/a", "/mao/t/a-1", "/mao/t/b"]

    def test_a_list_goes_on_behind_a_key(self, kv: KvStore) -> None:
        keys = [f"/mao/t/{number:03}" for number in range(10)]
        for key in keys:
            kv.create(key, "x")
        first = kv.list("/mao/t/", limit=4)
        rest = kv.list("/mao/t/", after=first[-1].key, limit=500)
        assert [entry.key for entry in first + rest] == keys
        assert [entry.key for entry in kv.list("/mao/t/", after="/mao/t/0035", limit=1)] == ["/mao/t/004"]
        assert kv.list("/mao/t/", after=keys[-1]) == []
        assert kv.list("/mao/t/", limit=0) == []

    def test_a_cursor_from_elsewhere_gives_nothing_from_elsewhere(self, kv: KvStore) -> None:
        for key in ("/mao/s/1", "/mao/t/1", "/mao/u/1"):
            kv.create(key, "x")
        assert [entry.key for entry in kv.list("/mao/t/", after="/mao/s/0")] == ["/mao/t/1"]
        assert kv.list("/mao/t/", after="/mao/u/0") == []

    def test_of_many_that_create_one_key_one_wins(self, kv: KvStore) -> None:
        threads, names = 50, 20

        def create_all(caller: int) -> list[str]:
            return [name for name in map(str, range(names)) if was_created(name, caller)]

        def was_created(name: str, caller: int) -> bool:
            try:
                kv.create(f"/mao/t/{name}", f"caller {caller}")
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(threads) as pool:
            won = dict(enumerate(pool.map(create_all, range(threads))))
        winners = {f"/mao/t/{name}": f"caller {caller}" for caller, names_won in won.items() for name in names_won}
        assert sum(map(len, won.values())) == names
        assert {entry.key: entry.value for entry in kv.list("/mao/t/")} == winners

    def test_keys_that_are_created_together_share_a_lease_and_a_token(self, kv: KvStore) -> None:
        lease = kv.create_all({"/mao/t/b": "2", "/mao/t/a": "1"}, ttl_seconds=60)
        assert kv.list("/mao/t/") == [
            Entry("/mao/t/a", "1", lease.token, lease.id),
            Entry("/mao/t/b", "2", lease.token, lease.id),
        ]

    def test_of_keys_one_of_which_is_there_none_is_created(self, kv: KvStore) -> None:
        kv.create("/mao/t/b", "mine")
        with pytest.raises(AlreadyExists):
            kv.create_all(dict.fromkeys(["/mao/t/a", "/mao/t/b", "/mao/t/c"], "yours"), ttl_seconds=60)
        assert [(entry.key, entry.value) for entry in kv.list("/mao/t/")] == [("/mao/t/b", "mine")]

    def test_a_later_lease_has_a_greater_token(self, kv: KvStore) -> None:
        tokens = []
        for _ in range(20):
            lease = kv.create_all({"/mao/t/a": "x"}, ttl_seconds=60)
            tokens.append(lease.token)
            kv.revoke(lease.id)
        assert tokens == sorted(set(tokens))

    def test_a_lease_that_nobody_keeps_takes_all_its_keys_along(self, kv: KvStore) -> None:
        lease = kv.create_all({"/mao/t/a": "x", "/mao/t/b": "x"}, ttl_seconds=1)
        wait_until(lambda: kv.get("/mao/t/a") is None, "the key outlives its lease")
        wait_until(lambda: kv.get("/mao/t/b") is None, "the key outlives its lease")
        assert not kv.keep_alive(lease.id)
        assert kv.create_all({"/mao/t/a": "y"}, ttl_seconds=60).token > lease.token

    def test_a_lease_that_is_kept_outlives_one_that_is_not(self, kv: KvStore) -> None:
        kept = kv.create_all({"/mao/t/kept": "x"}, ttl_seconds=self.lease_seconds)
        kv.create_all({"/mao/t/left": "x"}, ttl_seconds=self.lease_seconds)
        wait_until(
            lambda: kv.keep_alive(kept.id) and kv.get("/mao/t/left") is None,
            "the lease that was kept is over, or the other one is not",
        )
        assert kv.get("/mao/t/kept") == Entry("/mao/t/kept", "x", kept.token, kept.id)

    def test_a_lease_that_never_was_cannot_be_kept(self, kv: KvStore) -> None:
        assert not kv.keep_alive(123_456_789)

    def test_a_revoked_lease_deletes_its_keys_at_once_and_no_other(self, kv: KvStore) -> None:
        first = kv.create_all({"/mao/t/a": "x", "/mao/t/b": "x"}, ttl_seconds=60)
        kv.create_all({"/mao/t/c": "x"}, ttl_seconds=60)
        for _ in range(2):
            kv.revoke(first.id)
            assert [entry.key for entry in kv.list("/mao/t/")] == ["/mao/t/c"]
        assert not kv.keep_alive(first.id)

    def test_a_key_that_is_deleted_leaves_its_lease_and_the_other_keys(self, kv: KvStore) -> None:
        lease = kv.create_all({"/mao/t/a": "x", "/mao/t/b": "x"}, ttl_seconds=60)
        kv.delete("/mao/t/a", lease.token)
        assert kv.keep_alive(lease.id)
        assert [entry.key for entry in kv.list("/mao/t/")] == ["/mao/t/b"]

    def test_of_many_that_want_overlapping_keys_no_two_hold_one(self, kv: KvStore) -> None:
        callers = 24
        wants = [{f"/mao/t/{number % 5}", f"/mao/t/{number % 7 + 5}"} for number in range(callers)]

        def create(caller: int) -> Lease | None:
            try:
                return kv.create_all(dict.fromkeys(wants[caller], str(caller)), ttl_seconds=60)
            except AlreadyExists:
                return None

        with ThreadPoolExecutor(callers) as pool:
            won = [caller for caller, lease in enumerate(pool.map(create, range(callers))) if lease]
        assert won
        assert {entry.key: entry.value for entry in kv.list("/mao/t/")} == {
            key: str(caller) for caller in won for key in wants[caller]
        }
        assert sum(len(wants[caller]) for caller in won) == len(kv.list("/mao/t/"))

    def test_a_watch_gives_what_happens_below_its_prefix(self, kv: KvStore) -> None:
        kv.create("/mao/t/before", "x")
        with watching(kv, "/mao/t/") as seen:
            first = kv.create("/mao/t/a", "1")
            kv.create("/mao/u/a", "elsewhere")
            second = kv.replace("/mao/t/a", "2", first)
            kv.delete("/mao/t/a", second)
            seen.wait_for("/mao/t/a", None)
        assert seen.changes == [
            Change("/mao/t/a", Entry("/mao/t/a", "1", first)),
            Change("/mao/t/a", Entry("/mao/t/a", "2", second)),
            Change("/mao/t/a", None),
        ]

    def test_a_watch_sees_the_end_of_a_lifetime(self, kv: KvStore) -> None:
        with watching(kv, "/mao/t/") as seen:
            kv.put("/mao/t/a", "x", ttl_seconds=1)
            seen.wait_for("/mao/t/a", None)

    def test_a_watch_that_is_stopped_before_it_began_gives_nothing(self, kv: KvStore) -> None:
        stop = threading.Event()
        stop.set()
        assert list(kv.watch("/mao/t/", stop)) == []

    def test_ping_gives_a_version(self, kv: KvStore) -> None:
        assert kv.ping()
