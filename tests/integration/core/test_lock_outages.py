"""Locks while PostgreSQL does not answer: the runs go on, so their locks are kept, for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.clock import utc_now
from app.errors import DatabaseDown
from app.models.lock import Holder
from app.repositories.etcd import EtcdKv
from app.services import lock_renewal
from app.services.lock_renewal import LONGEST_OUTAGE_SECONDS
from tests.contracts import wait_until
from tests.integration.conftest import PostgresAddress
from tests.integration.core.lock_nodes import LockNode
from tests.integration.tcp_proxy import TcpProxy

LEASE_SECONDS = 5


@pytest.fixture
def proxy(postgres_server: PostgresAddress) -> Iterator[TcpProxy]:
    made = TcpProxy(postgres_server.address)
    yield made
    made.close()


@pytest.fixture
def node(
    postgres_server: PostgresAddress, database_url: str, proxy: TcpProxy, kv: EtcdKv, tmp_path: Path
) -> Iterator[LockNode]:
    """A node that reaches PostgreSQL through the proxy."""
    url = database_url.replace(postgres_server.address, proxy.address)
    assert url != database_url
    made = LockNode(url, tmp_path, kv, "a", lock_seconds=LEASE_SECONDS)
    yield made
    proxy.mend()
    made.close()


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The renewer's clock, which the test may set forward."""
    made = SimpleNamespace(now=1000.0)
    made.monotonic = lambda: made.now
    monkeypatch.setattr(lock_renewal, "time", made)
    return made


def test_locks_outlive_an_outage_of_postgresql_that_is_longer_than_a_lease(node: LockNode, proxy: TcpProxy) -> None:
    run_id = node.want("a")
    assert node.serve() == [run_id]
    lock, stop = node.lock("a"), threading.Event()
    renewer = threading.Thread(target=node.renewer.work, args=[stop])
    renewer.start()
    proxy.swallow()
    # A lease of the same length that nobody renews tells when ours would have been over.
    node.locks.take(["unrenewed"], Holder(9, "z", "z", 1), utc_now(), ttl_seconds=LEASE_SECONDS)
    with pytest.raises(DatabaseDown):
        node.keeper.tick()
    wait_until(lambda: "unrenewed" not in node.holders(), "a lease that nobody renews is not over")
    assert node.lock("a") == lock
    stop.set()
    renewer.join()
    proxy.mend()
    wait_until(lambda: answers(node), "PostgreSQL does not come back")
    node.renew_term()
    node.keeper.tick()
    assert (node.lock("a"), node.row(run_id).warnings) == (lock, [])


def answers(node: LockNode) -> bool:
    try:
        node.database.ping()
    except DatabaseDown:
        return False
    return True


def test_only_what_was_needed_last_is_renewed_and_only_where_nobody_else_does(
    silence: SimpleNamespace, node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.renewer.tell([])
    over, kept = node.want("a"), node.want("b")
    assert node.serve() == [over, kept]
    renewed: list[int] = []
    renew = node.locks.renew
    monkeypatch.setattr(node.locks, "renew", lambda lease: renewed.append(lease) or renew(lease))
    node.finish(over)
    node.keeper.tick()
    renewed.clear()
    node.renewer.look()
    assert renewed == []
    silence.now += LONGEST_OUTAGE_SECONDS
    node.renewer.look()
    assert renewed == [node.lock("b").lease]
    silence.now += 1
    node.renewer.look()
    assert renewed == [node.lock("b").lease]


def test_a_lease_that_is_over_is_not_asked_for_again(
    silence: SimpleNamespace, node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = node.locks.take(["a"], Holder(9, "z", "z", 1), utc_now(), ttl_seconds=60).id
    node.renewer.tell([lease])
    node.locks.give_back(lease)
    silence.now += LEASE_SECONDS
    node.renewer.look()
    renewed: list[int] = []
    monkeypatch.setattr(node.locks, "renew", renewed.append)
    node.renewer.look()
    assert renewed == []
