"""Locks where an answer was lost, a term of office ended in between, or somebody else wrote what stands there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from app.errors import RegistryDown
from app.repositories.etcd import EtcdKv
from app.services import lock_keeping
from app.services.lock_taking import OUTAGE
from tests.integration.core.lock_nodes import LockNode, after, lose_answers


@pytest.fixture
def node(database_url: str, kv: EtcdKv, tmp_path: Path) -> Iterator[LockNode]:
    made = LockNode(database_url, tmp_path, kv, "a")
    yield made
    made.close()


def test_locks_whose_answer_was_lost_are_found_again(node: LockNode, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = node.want("a", "b")
    lose_answers(node, monkeypatch)
    with pytest.raises(RegistryDown):
        node.keeper.tick()
    lock = node.lock("a")
    assert (lock.run_id, node.row(run_id).lock_token) == (run_id, None)
    monkeypatch.undo()
    assert node.serve() == [run_id]
    assert (node.row(run_id).lock_lease, node.row(run_id).lock_token) == (lock.lease, lock.token)


def test_half_of_what_was_taken_without_an_answer_is_given_back_first(
    node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = node.want("a", "b")
    lose_answers(node, monkeypatch)
    with pytest.raises(RegistryDown):
        node.keeper.tick()
    monkeypatch.undo()
    first = node.locks.break_lock("a")
    assert node.serve() == [run_id]
    assert node.lock("a").lease == node.lock("b").lease != first.lease


def test_what_an_earlier_term_took_and_never_noted_is_taken_anew(
    node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = node.want("a")
    lose_answers(node, monkeypatch)
    with pytest.raises(RegistryDown):
        node.keeper.tick()
    monkeypatch.undo()
    first = node.lock("a")
    node.renew_term()
    assert node.serve() == [run_id]
    assert node.lock("a").token > first.token


def test_an_agent_whose_term_is_over_notes_no_locks_and_leaves_none(
    node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = node.want("a")
    frozen = node.keeper
    after(node, "take", monkeypatch, node.renew_term)
    frozen.tick()
    monkeypatch.undo()
    assert (node.row(run_id).lock_token, node.holders()) == (None, {})
    assert node.serve() == [run_id]


def test_two_nodes_of_one_name_never_take_each_others_locks_for_their_own(
    node: LockNode, other_database_url: str, kv: EtcdKv, tmp_path: Path
) -> None:
    twin = LockNode(other_database_url, tmp_path, kv, "a")
    first, second = node.want("a"), twin.want("a")
    assert first == second
    assert node.serve() == [first]
    assert twin.serve() == []
    assert twin.row(second).waiting_for == f"lock: a held by run {first} on node a"
    twin.close()


def test_what_cannot_be_read_holds_the_lock_all_the_same(node: LockNode, kv: EtcdKv) -> None:
    kv.create("/mao/locks/a", "{")
    run_id = node.want("a")
    assert node.serve() == []
    assert node.row(run_id).waiting_for == "lock: a held by somebody whose entry cannot be read"
    node.locks.break_lock("a")
    assert node.serve() == [run_id]


def test_while_etcd_is_down_waiting_runs_say_so(node: LockNode, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = node.want("a")
    lose_answers(node, monkeypatch)
    with pytest.raises(RegistryDown):
        node.keeper.tick()
    node.dispatcher.tend()
    assert node.row(run_id).waiting_for == OUTAGE
    monkeypatch.undo()
    assert node.serve() == [run_id]


def test_a_new_term_never_claims_a_run_with_the_locks_of_an_earlier_one(
    node: LockNode, other_database_url: str, kv: EtcdKv, tmp_path: Path
) -> None:
    other = LockNode(other_database_url, tmp_path, kv, "b")
    first, second = node.want("a"), other.want("a")
    node.keeper.tick()
    # The agent dies before it claims the run, and stays dead until its lease is over.
    node.locks.give_back(node.lock("a").lease)
    assert other.serve() == [second]
    node.renew_term()
    assert node.claim() == []
    assert node.serve() == []
    other.finish(second)
    other.keeper.tick()
    assert node.serve() == [first]
    assert (node.row(first).lock_token or 0) > (other.row(second).lock_token or 0)
    other.close()


def test_an_agent_that_was_frozen_claims_no_run_before_its_lease_is_renewed(
    node: LockNode, other_database_url: str, kv: EtcdKv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LockNode(other_database_url, tmp_path, kv, "b")
    kept, lost, second = node.want("a"), node.want("b"), other.want("b")
    node.keeper.tick()
    stand_still(node)
    node.locks.give_back(node.lock("b").lease)
    assert other.serve() == [second]
    assert node.claim() == []
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + node.context.settings.limits.lock_seconds / 2)
    monkeypatch.setattr(lock_keeping, "time", later)
    assert node.serve() == [kept]
    assert node.serve() == []
    assert node.row(lost).waiting_for == f"lock: b held by run {second} on node b"
    other.close()


def stand_still(node: LockNode) -> None:
    """Let the rows look as they do when a lease was not renewed for longer than it is relied on."""
    with node.database.transaction() as session:
        session.execute(text("update runs set lock_valid_until = clock_timestamp()"))
