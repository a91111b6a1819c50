"""Locks that runs hold: taken before the run is claimed, kept while it is held, freed when it is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.models.run import FINAL, RunStatus
from app.repositories.etcd import EtcdKv
from app.repositories.runs import RunRepository
from app.scheduler import Clock, Tick
from app.services import lock_keeping
from app.services.lock_keeping import LockKeeper, hear_of_freed_locks
from tests.contracts import wait_until
from tests.integration.core.lock_nodes import LockNode, after


@pytest.fixture
def node(database_url: str, kv: EtcdKv, tmp_path: Path) -> Iterator[LockNode]:
    made = LockNode(database_url, tmp_path, kv, "a")
    yield made
    made.close()


@pytest.fixture
def other(other_database_url: str, kv: EtcdKv, tmp_path: Path) -> Iterator[LockNode]:
    made = LockNode(other_database_url, tmp_path, kv, "b")
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The keeper's clock, which the test may set forward."""
    made = SimpleNamespace(now=1000.0)
    made.monotonic = lambda: made.now
    monkeypatch.setattr(lock_keeping, "time", made)
    return made


# Taking.


def test_a_run_is_not_claimed_before_it_has_its_locks(node: LockNode) -> None:
    run_id = node.want("b", "a")
    assert node.claim() == []
    node.keeper.tick()
    assert node.holders() == {"a": run_id, "b": run_id}
    run = node.row(run_id)
    assert {run.lock_token} == {node.lock("a").token, node.lock("b").token}
    assert {run.lock_lease} == {node.lock("a").lease, node.lock("b").lease}
    assert node.claim() == [run_id]


def test_a_run_without_locks_asks_etcd_for_nothing(node: LockNode) -> None:
    run_id = node.add()
    node.keeper = LockKeeper(node.context, None, node.renewer)  # type: ignore[arg-type]
    assert node.serve() == [run_id]


def test_the_tool_gets_the_token_of_its_locks_and_the_run_keeps_it(node: LockNode) -> None:
    run_id, without = node.want("a"), node.add()
    node.backend.is_slow = True
    node.keeper.tick()
    token = node.lock("a").token
    node.dispatcher.step()
    for number in (run_id, without):
        node.until(number, RunStatus.RUNNING)
    tokens = {thing.request.run_id: thing.request.env.get("MAO_LOCK_TOKEN") for thing in node.backend.things.values()}
    assert tokens == {run_id: str(token), without: None}
    for handle in list(node.backend.things):
        node.backend.end(handle, 0)
    node.until(run_id, *FINAL)
    node.keeper.tick()
    run = node.row(run_id)
    assert (run.lock_token, run.lock_lease, run.warnings, node.holders()) == (token, None, [], {})


def test_a_run_that_waits_says_which_run_of_which_node_holds_its_lock(node: LockNode, other: LockNode) -> None:
    first = other.want("a")
    other.serve()
    second, third = node.want("a", "b"), node.want("b")
    node.keeper.tick()
    assert node.row(second).waiting_for == f"lock: a held by run {first} on node b"
    assert node.row(third).waiting_for == f"lock: b wanted by run {second}, which came first"
    node.dispatcher.tend()
    assert node.row(second).waiting_for == f"lock: a held by run {first} on node b"


def test_all_locks_of_a_run_are_taken_or_none(node: LockNode, other: LockNode) -> None:
    holder = other.want("b")
    other.serve()
    node.want("a", "b", "c")
    node.keeper.tick()
    assert node.holders() == {"b": holder}


def test_an_older_run_that_wants_several_locks_is_not_overtaken(node: LockNode, other: LockNode) -> None:
    holder = other.want("b")
    other.serve()
    older, younger, apart = node.want("a", "b"), node.want("a"), node.want("c")
    assert node.serve() == [apart]
    other.finish(holder)
    other.keeper.tick()
    assert node.serve() == [older]
    node.finish(older)
    assert node.serve() == [younger]


def test_an_older_run_that_could_not_begin_anyway_holds_up_nobody(node: LockNode) -> None:
    in_the_clone = node.add(clone="spike")
    assert node.claim() == [in_the_clone]
    older, younger = node.want("a", clone="spike"), node.want("a")
    assert node.serve() == [younger]
    assert node.row(older).lock_lease is None


def test_runs_of_a_node_get_a_lock_in_the_order_of_their_numbers(node: LockNode) -> None:
    wanted = [node.want("a") for _ in range(10)]
    served: list[int] = []
    while len(served) < len(wanted):
        (run_id,) = node.serve()
        served.append(run_id)
        node.finish(run_id)
    assert served == wanted


def test_no_more_than_one_run_takes_its_locks_before_there_is_room(
    database_url: str, kv: EtcdKv, tmp_path: Path
) -> None:
    node = LockNode(database_url, tmp_path, kv, "a", concurrent_runs=2)
    first, second, third, fourth = (node.want(key) for key in "abcd")
    for _ in range(2):
        node.keeper.tick()
        assert node.holders() == {"a": first, "b": second}
    assert node.claim() == [first, second]
    for _ in range(2):
        assert node.serve() == []
        assert node.holders() == {"a": first, "b": second, "c": third}
    node.finish(first)
    assert node.claim() == [third]
    node.keeper.tick()
    assert node.holders() == {"b": second, "c": third, "d": fourth}
    node.close()


def test_runs_that_want_no_locks_do_not_keep_an_older_one_that_does_from_its_turn(
    database_url: str, kv: EtcdKv, tmp_path: Path
) -> None:
    node = LockNode(database_url, tmp_path, kv, "a", concurrent_runs=1)
    at_work = node.add()
    assert node.serve() == [at_work]
    waiting = [node.add(), node.want("a"), node.add(), node.want("b"), node.add()]
    served = []
    for _ in waiting:
        node.keeper.tick()
        assert node.holders().keys() <= {"a", "b"}
        # The claim comes first: in an agent, the dispatcher is faster than the keeper.
        node.finish(at_work)
        (at_work,) = node.claim()
        served.append(at_work)
    assert served == waiting
    node.close()


def test_a_run_behind_others_that_could_begin_takes_no_locks_before_there_is_room(
    database_url: str, kv: EtcdKv, tmp_path: Path
) -> None:
    node = LockNode(database_url, tmp_path, kv, "a", concurrent_runs=1)
    at_work = node.add()
    assert node.serve() == [at_work]
    older, wanting = node.add(), node.want("a")
    assert node.serve() == []
    assert node.holders() == {}
    node.finish(at_work)
    assert node.claim() == [older]
    node.keeper.tick()
    assert node.holders() == {"a": wanting}
    node.close()


def test_locks_of_a_run_that_cannot_begin_after_all_are_given_back(node: LockNode, clock: SimpleNamespace) -> None:
    run_id = node.want("a", clone="spike")
    node.keeper.tick()
    first = node.row(run_id).lock_token
    holder = node.add(clone="spike")
    with node.database.transaction() as session:
        old, new = RunStatus.WAITING_LOCKS, RunStatus.PENDING_SUBMIT
        assert RunRepository(session).change(holder, old, new, actor="test")
    assert node.serve() == []
    assert node.holders() == {"a": run_id}
    clock.now += node.context.settings.limits.lock_seconds
    assert node.serve() == []
    assert node.holders() == {}
    node.finish(holder)
    assert node.serve() == [run_id]
    assert (node.row(run_id).lock_token or 0) > (first or 0)


def test_a_run_that_is_stopped_while_its_locks_are_taken_leaves_none(
    node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, next_id = node.want("a"), node.want("b")
    after(node, "take", monkeypatch, lambda: node.stop(run_id) if node.row(run_id).ended_at is None else None)
    node.keeper.tick()
    assert node.row(run_id).status == RunStatus.ABORTED
    assert node.holders() == {"b": next_id}


# Giving back.


@pytest.mark.parametrize("is_new_term", [False, True])
def test_a_run_that_is_over_frees_its_locks_also_after_a_crash(
    node: LockNode, other: LockNode, is_new_term: bool
) -> None:
    first, second = node.want("a", "b"), other.want("b")
    assert node.serve() == [first]
    assert other.serve() == []
    node.finish(first)
    if is_new_term:
        node.renew_term()
    node.keeper.tick()
    assert (node.holders(), node.row(first).warnings) == ({}, [])
    assert other.serve() == [second]
    assert (other.row(second).lock_token or 0) > (node.row(first).lock_token or 0)


def test_a_run_that_waits_for_another_attempt_holds_nothing(node: LockNode, other: LockNode) -> None:
    first, second = node.want("a"), other.want("a")
    assert node.serve() == [first]
    token = node.row(first).lock_token or 0
    node.begin_again(first)
    node.keeper.tick()
    assert (node.row(first).lock_lease, node.row(first).warnings) == (None, [])
    assert other.serve() == [second]
    assert node.serve() == []
    other.finish(second)
    other.keeper.tick()
    assert node.serve() == [first]
    assert (node.row(first).lock_token or 0) > (other.row(second).lock_token or 0) > token


def test_a_lock_that_is_freed_wakes_the_next_node_at_once(node: LockNode, other: LockNode) -> None:
    first, second = node.want("a"), other.want("a")
    assert node.serve() == [first]
    # This clock would tick again in an hour: only what is told brings the second run its lock.
    ticker = Clock([Tick("mao.locks", 3600.0, other.keeper.tick)], lambda: None)
    heard = (other.context, other.locks, other.keeper, lambda: ticker.do_now("mao.locks"))
    listener = threading.Thread(target=hear_of_freed_locks, args=heard, daemon=True)
    ticker.start()
    listener.start()
    wait_until(lambda: "held by" in (other.row(second).waiting_for or ""), "the second run was not looked at")
    node.finish(first)
    node.keeper.tick()
    wait_until(lambda: other.row(second).lock_token is not None, "the second run did not get its lock")
    other.context.lost.set()
    ticker.stop()
    listener.join(10)
    assert not listener.is_alive()


def test_what_is_told_during_a_look_is_looked_at_before_the_tick_ends(
    node: LockNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.keeper.tell()
    later: list[int] = []

    def tell_of_another() -> None:
        if not later:
            later.append(node.want("b"))
            assert not node.keeper.tell()

    first = node.want("a")
    after(node, "take", monkeypatch, tell_of_another)
    node.keeper.tick()
    assert node.holders() == {"a": first, "b": later[0]}


# Losing.


def test_a_run_that_loses_its_lock_goes_on_with_one_warning_that_stays(node: LockNode, clock: SimpleNamespace) -> None:
    run_id = node.want("a")
    assert node.serve() == [run_id]
    node.locks.give_back(node.lock("a").lease)
    for _ in range(3):
        clock.now += 10
        node.keeper.tick()
    run = node.row(run_id)
    assert (run.status, run.lock_lease, len(run.warnings)) == (RunStatus.PENDING_SUBMIT, None, 1)
    assert run.warnings[0].startswith("The lock 'a' was lost, as was seen at ")
    # Whoever ends the run knows its warnings as they were before.
    assert node.finish(run_id, warnings=["another"]).warnings == [*run.warnings, "another"]


def test_a_lock_that_was_lost_before_the_run_was_over_is_told_even_if_it_is_seen_later(node: LockNode) -> None:
    run_id = node.want("a")
    assert node.serve() == [run_id]
    node.locks.give_back(node.lock("a").lease)
    node.finish(run_id)
    node.renew_term()
    for _ in range(2):
        node.keeper.tick()
    assert [warning[:23] for warning in node.row(run_id).warnings] == ["The lock 'a' was lost, "]


def test_a_lock_that_somebody_breaks_is_told_and_the_others_are_kept(node: LockNode, clock: SimpleNamespace) -> None:
    run_id = node.want("a", "b")
    assert node.serve() == [run_id]
    node.locks.break_lock("a")
    for _ in range(3):
        clock.now += 10
        node.keeper.tick()
    assert node.holders() == {"b": run_id}
    assert [warning[:23] for warning in node.row(run_id).warnings] == ["The lock 'a' was lost, "]
    node.finish(run_id)
    node.keeper.tick()
    assert node.holders() == {}


def test_a_run_that_loses_its_locks_before_it_is_claimed_takes_them_anew(node: LockNode) -> None:
    run_id = node.want("a", "b")
    node.keeper.tick()
    first = node.lock("a").token
    node.locks.break_lock("b")
    node.renew_term()
    node.keeper.tick()
    assert node.serve() == [run_id]
    run = node.row(run_id)
    assert (run.lock_token or 0) > first
    assert (node.holders(), run.warnings) == ({"a": run_id, "b": run_id}, [])


def test_a_frozen_keeper_never_touches_the_lock_of_the_next_holder(node: LockNode, other: LockNode) -> None:
    first, second = node.want("a"), other.want("a")
    assert node.serve() == [first]
    node.locks.give_back(node.lock("a").lease)
    assert other.serve() == [second]
    node.finish(first)
    node.keeper.tick()
    assert other.holders() == {"a": second}
    assert other.locks.renew(other.row(second).lock_lease or 0)
