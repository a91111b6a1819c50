from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from app.errors import RegistryDown
from app.repositories.kv import KvStore
from app.repositories.memory_kv import MemoryKv
from tests.contracts import KvContract


class TestMemoryKv(KvContract):
    lease_seconds = 20

    @pytest.fixture
    def kv(self) -> KvStore:
        # Lifetimes of seconds pass in a twentieth of the time.
        return MemoryKv(monotonic=lambda: 20 * time.monotonic())


@pytest.mark.parametrize(
    "call",
    [
        lambda kv: kv.get("/mao/a"),
        lambda kv: kv.list("/mao/"),
        lambda kv: kv.create("/mao/a", "x"),
        lambda kv: kv.replace("/mao/a", "x", 1),
        lambda kv: kv.put("/mao/a", "x"),
        lambda kv: kv.delete("/mao/a", 1),
        lambda kv: kv.create_all({"/mao/a": "x"}, ttl_seconds=1),
        lambda kv: kv.keep_alive(1),
        lambda kv: kv.revoke(1),
        lambda kv: kv.watch("/mao/", threading.Event()),
        lambda kv: kv.ping(),
    ],
)
def test_a_store_that_is_down_answers_nothing(call: Callable[[MemoryKv], object]) -> None:
    kv = MemoryKv()
    kv.is_down = True
    with pytest.raises(RegistryDown):
        call(kv)


def test_a_lifetime_ends_by_the_clock_that_was_given() -> None:
    now = 0.0
    kv = MemoryKv(monotonic=lambda: now)
    kv.put("/mao/a", "x", ttl_seconds=30 * 86_400)
    now = 30 * 86_400 - 1.0
    assert kv.get("/mao/a") is not None
    now += 1.0
    assert kv.get("/mao/a") is None
