"""Locks under kills, freezes and outages: many rounds on a real etcd, with short leases."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Result, text

from app.clock import utc_now
from app.embedded import EtcdServer, start_etcd
from app.errors import RegistryDown
from app.models.lock import Holder
from app.models.run import RunStatus
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from app.repositories.kv import Lease
from app.services.lock_taking import OUTAGE
from app.settings import Etcd
from tests.contracts import wait_until
from tests.integration.core.lock_nodes import LockNode

SEED = 20261122
SHORT = {"runs": 40, "kills": 2}
LONG = {"runs": 200, "kills": 6}
LEASE_SECONDS = 5
"""Long enough for a busy machine to renew it in time, short enough to be waited for."""


@pytest.fixture
def nodes(database_url: str, other_database_url: str, kv: EtcdKv, tmp_path: Path) -> Iterator[list[LockNode]]:
    limits = {"lock_seconds": LEASE_SECONDS, "concurrent_runs": 3}
    urls = {"a": database_url, "b": other_database_url}
    made = [LockNode(url, tmp_path, kv, name, **limits) for name, url in urls.items()]
    yield made
    for node in made:
        node.close()


class Sections:
    """Who is inside which lock, as the runs themselves know it; two at once is what must never be."""

    def __init__(self) -> None:
        self.inside: dict[str, tuple[str, int]] = {}
        self.last_token: Counter[str] = Counter()
        self.sins: list[str] = []
        self._mutex = threading.Lock()

    def enter(self, who: tuple[str, int], keys: list[str], token: int) -> None:
        with self._mutex:
            for key in keys:
                if key in self.inside:
                    self.sins.append(f"{who} entered {key}, where {self.inside[key]} was")
                if token <= self.last_token[key]:
                    self.sins.append(f"{who} got token {token} of {key} after {self.last_token[key]}")
                self.inside[key] = who
                self.last_token[key] = token

    def leave(self, who: tuple[str, int]) -> None:
        with self._mutex:
            self.inside = {key: holder for key, holder in self.inside.items() if holder != who}


@pytest.mark.parametrize("amount", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], ids=["short", "long"])
def test_no_two_runs_of_two_nodes_are_ever_inside_one_lock(nodes: list[LockNode], amount: dict[str, int]) -> None:
    sections = Sections()
    each = amount["runs"] // len(nodes)
    threads = [
        threading.Thread(target=work, args=(node, sections, random.Random(SEED + number), each, amount["kills"]))
        for number, node in enumerate(nodes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sections.sins == []
    assert nodes[0].holders() == {}
    for node in nodes:
        with node.database.transaction() as session:
            counted = session.execute(text("select status, count(*), count(lock_lease) from runs group by status"))
            assert [tuple(row) for row in counted] == [("FAILED", each, 0)]


def work(node: LockNode, sections: Sections, draw: random.Random, runs: int, deaths: int) -> None:
    """Let runs with random locks come and go, while the agent is killed now and then."""
    try:
        wanted = {node.want(*draw.sample("abcdef", draw.randint(1, 4))) for _ in range(runs)}
        kills = set(draw.sample(range(runs), deaths))
        begun: list[int] = []
        while wanted or begun:
            begun += enter_all(node, sections, wanted)
            if not begun:
                threading.Event().wait(0.02)
            while begun and draw.random() < 0.6:
                run_id = begun.pop(draw.randrange(len(begun)))
                sections.leave((node.context.node, run_id))
                node.finish(run_id)
            if len(wanted) in kills:
                kills.remove(len(wanted))
                if len(kills) % 2:
                    die_with_all_runs(node, sections, begun)
                node.renew_term()
        node.keeper.tick()
    except BaseException as error:
        sections.sins.append(repr(error))
        raise


def enter_all(node: LockNode, sections: Sections, wanted: set[int]) -> list[int]:
    entered = node.serve()
    for run_id in entered:
        run = node.row(run_id)
        assert run.lock_token is not None
        sections.enter((node.context.node, run_id), run.locks, run.lock_token)
        wanted.remove(run_id)
    return entered


def die_with_all_runs(node: LockNode, sections: Sections, begun: list[int]) -> None:
    """End what the node does, as a power cut would, until nothing in etcd is its own any more."""
    for run_id in begun:
        sections.leave((node.context.node, run_id))

    def is_forgotten() -> bool:
        return all(lock.node != node.context.node for lock in node.locks.held().values())

    wait_until(is_forgotten, "the leases of a dead node do not run out")
    while begun:
        node.finish(begun.pop())


class FencedCounter:
    """A number in PostgreSQL that takes no write with an older token than it has seen."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute("create table fenced as select 0 as value, cast(0 as bigint) as token")

    def value(self) -> int:
        return int(self._execute("select value from fenced").scalar_one())

    def write(self, value: int, token: int) -> bool:
        write = "update fenced set value = :value, token = :token where token <= :token returning value"
        return self._execute(write, value=value, token=token).first() is not None

    def _execute(self, statement: str, **values: int) -> Result[Any]:
        with self._database.transaction() as session:
            return session.execute(text(statement), values)


@pytest.mark.parametrize("rounds", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_of_many_holders_that_were_frozen_none_writes_over_the_next_one(nodes: list[LockNode], rounds: int) -> None:
    counter = FencedCounter(nodes[0].database)
    for number in range(rounds):
        frozen, awake = nodes if number % 2 else reversed(nodes)
        stale = take(frozen, number)
        seen = counter.value()
        # It stands still from here on. Its lease is ended instead of waited for; to all others that is the same.
        frozen.locks.give_back(stale.id)
        fresh = take(awake, number)
        assert counter.write(counter.value() + 1, fresh.token)
        assert not counter.write(seen + 1, stale.token)
        awake.locks.give_back(fresh.id)
    assert counter.value() == rounds


def take(node: LockNode, number: int) -> Lease:
    context = node.context
    holder = Holder(number, context.node, context.installation, context.epoch)
    return node.locks.take(["counter"], holder, utc_now(), ttl_seconds=60)


def test_a_keeper_that_is_frozen_for_longer_than_its_lease_loses_and_says_so(nodes: list[LockNode]) -> None:
    frozen, awake = nodes
    counter = FencedCounter(frozen.database)
    first, second = frozen.want("a"), awake.want("a")
    assert frozen.serve() == [first]
    wait_until(lambda: awake.serve() == [second], "the lock of a frozen keeper is held for ever")
    assert counter.write(1, awake.row(second).lock_token or 0)
    assert not counter.write(2, frozen.row(first).lock_token or 0)
    frozen.keeper.tick()
    run = frozen.row(first)
    assert (run.status, run.lock_lease, len(run.warnings)) == (RunStatus.PENDING_SUBMIT, None, 1)
    assert awake.holders() == {"a": second}


@pytest.fixture
def start_server(services_folder: Path, tmp_path: Path) -> Iterator[Callable[[], EtcdServer]]:
    """Start, and start again, an etcd that this test may kill."""
    started: list[EtcdServer] = []

    def start() -> EtcdServer:
        started.append(start_etcd(services_folder / f"locks-{tmp_path.name}", is_durable=False))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_while_etcd_is_killed_waiting_runs_say_so_and_held_locks_survive(
    start_server: Callable[[], EtcdServer], database_url: str, tmp_path: Path
) -> None:
    server = start_server()
    kv = EtcdKv(Etcd(address=server.address, timeout_seconds=1.0))
    node = LockNode(database_url, tmp_path, kv, "a")
    holder = node.want("a")
    assert node.serve() == [holder]
    lock = node.lock("a")
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_alive(), "the killed etcd still runs")
    waiting, without = node.want("b"), node.add()
    with pytest.raises(RegistryDown):
        node.keeper.tick()
    assert node.row(waiting).waiting_for == OUTAGE
    assert node.claim() == [without]
    server.stop()
    start_server()
    wait_until(lambda: is_served(node), "the keeper does not find the etcd that is back")
    assert node.claim() == [waiting]
    assert (node.lock("a"), node.row(holder).warnings) == (lock, [])
    node.close()


def is_served(node: LockNode) -> bool:
    try:
        node.keeper.tick()
    except RegistryDown:
        return False
    return True
