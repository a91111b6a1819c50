"""Locks in the key-value store: what is stored for one, who is shown as its holder, and what a break is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.clock import utc_now
from app.errors import AlreadyExists, Invalid, NotFound, RegistryDown
from app.models.lock import Holder
from app.models.token import Identity
from app.repositories.locks import LockRepository
from app.repositories.memory_kv import MemoryKv
from app.services.locks import LockService

HOLDER = Holder(7, "node-a", "0123", 3)
NOW = utc_now()


@pytest.fixture
def kv() -> MemoryKv:
    return MemoryKv()


@pytest.fixture
def locks(kv: MemoryKv) -> LockRepository:
    return LockRepository(kv)


def test_what_is_stored_tells_the_run_its_node_and_the_time(kv: MemoryKv, locks: LockRepository) -> None:
    lease = locks.take(["b", "a"], HOLDER, NOW, ttl_seconds=20)
    (first, second) = kv.list("/mao/locks/")
    assert (first.key, second.key, first.value) == ("/mao/locks/a", "/mao/locks/b", second.value)
    assert json.loads(first.value) == {
        "run_id": 7,
        "node": "node-a",
        "installation": "0123",
        "epoch": 3,
        "since": NOW.isoformat(),
    }
    lock = locks.held()["a"]
    assert (lock.holder, lock.since, lock.token, lock.lease) == (HOLDER, NOW, lease.token, lease.id)


def test_a_lock_that_is_held_is_not_taken(locks: LockRepository) -> None:
    locks.take(["a"], HOLDER, NOW, ttl_seconds=20)
    with pytest.raises(AlreadyExists):
        locks.take(["a", "b"], HOLDER, NOW, ttl_seconds=20)
    assert locks.held().keys() == {"a"}


@pytest.mark.parametrize("key", ["", "..", "A", "a/b", "a\n", "é"])
def test_what_is_no_name_is_no_lock(locks: LockRepository, key: str) -> None:
    with pytest.raises(Invalid):
        locks.take([key], HOLDER, NOW, ttl_seconds=20)
    with pytest.raises(NotFound):
        locks.break_lock(key)


def test_locks_are_listed_page_by_page_and_what_is_no_lock_is_left_out(kv: MemoryKv, locks: LockRepository) -> None:
    for key in ("a", "b", "c"):
        locks.take([key], HOLDER, NOW, ttl_seconds=20)
    kv.create("/mao/locks/a/b", "{}")
    kv.create("/mao/locks/\udcff", "{}")
    assert [lock.key for lock in locks.list(limit=2)] == ["a", "b"]
    assert [lock.key for lock in locks.list(after="b")] == ["c"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "\udcff",
        json.dumps({"run_id": 7}),
        json.dumps({"run_id": "7", "node": "n", "installation": "0", "epoch": 1, "since": NOW.isoformat()}),
        json.dumps({"run_id": 7, "node": "a b", "installation": "0", "epoch": 1, "since": NOW.isoformat()}),
        json.dumps({"run_id": 7, "node": "n", "installation": "0", "epoch": 1, "since": "yesterday"}),
        json.dumps({"run_id": 7, "node": "n", "installation": "0", "epoch": 1, "since": "2026-11-22T06:00:00"}),
    ],
)
def test_a_value_that_cannot_be_read_is_a_lock_of_nobody_known(kv: MemoryKv, locks: LockRepository, value: str) -> None:
    revision = kv.create("/mao/locks/a", value)
    lock = locks.held()["a"]
    assert (lock.holder, lock.since, lock.run_id, lock.node, lock.token) == (None, None, None, None, revision)
    assert locks.break_lock("a") == lock
    assert locks.held() == {}


def test_a_broken_lock_is_free_and_the_lease_goes_on(locks: LockRepository) -> None:
    lease = locks.take(["a", "b"], HOLDER, NOW, ttl_seconds=20)
    LockService(locks).break_lock(Identity("olga", "group", frozenset()), "a")
    assert locks.held().keys() == {"b"}
    assert locks.renew(lease.id)
    with pytest.raises(NotFound):
        locks.break_lock("a")


def test_a_lock_that_goes_to_another_holder_meanwhile_is_not_broken(
    kv: MemoryKv, locks: LockRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = locks.take(["a"], HOLDER, NOW, ttl_seconds=20)
    seen = kv.get("/mao/locks/a")
    locks.give_back(first.id)
    locks.take(["a"], replace(HOLDER, run_id=8), NOW, ttl_seconds=20)
    monkeypatch.setattr(kv, "get", lambda _: seen)
    with pytest.raises(NotFound):
        locks.break_lock("a")
    assert locks.held()["a"].run_id == 8


def test_the_same_run_is_known_in_a_later_term_and_no_other_is(kv: MemoryKv) -> None:
    assert HOLDER.is_same_run(replace(HOLDER, epoch=4))
    assert not HOLDER.is_same_run(None)
    for other in (replace(HOLDER, run_id=8), replace(HOLDER, node="b"), replace(HOLDER, installation="1")):
        assert not HOLDER.is_same_run(other)


def test_while_the_store_is_down_every_call_says_so(kv: MemoryKv, locks: LockRepository) -> None:
    kv.is_down = True
    with pytest.raises(RegistryDown):
        LockService(locks).list()
    with pytest.raises(RegistryDown):
        LockService(locks).break_lock(Identity("olga", "group", frozenset()), "a")
