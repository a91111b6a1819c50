"""A run's state changes only as the table of legal changes says, whoever tries."""

from __future__ import annotations

import random
import threading

import pytest

from app.errors import Locked, WrongState
from app.models.dataset import Dataset
from app.models.run import FINAL, LEGAL_CHANGES, RunStatus
from app.repositories.clones import CloneRepository
from app.repositories.database import Database
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.runs import RunRepository
from app.services.clones import CloneService
from tests.integration.core.conftest import add_run

SEED = 20261122


def _change(database: Database, run_id: int, old: RunStatus, new: RunStatus, **guards: int) -> bool:
    with database.transaction() as session:
        return RunRepository(session).change(run_id, old, new, actor="test", **guards) is not None


def _status(database: Database, run_id: int) -> RunStatus:
    with database.transaction() as session:
        return RunStatus(RunRepository(session).get(run_id).status)


def test_of_1000_random_changes_none_that_is_illegal_gets_through(database: Database) -> None:
    draw = random.Random(SEED)
    run_id = add_run(database).id
    expected = RunStatus.WAITING_LOCKS
    counts = {"changed": 0, "refused": 0, "missed": 0}
    for _ in range(1000):
        old, new = draw.choice(list(RunStatus)), draw.choice(list(RunStatus))
        try:
            is_changed = _change(database, run_id, old, new)
        except WrongState:
            assert new not in LEGAL_CHANGES[old]
            counts["refused"] += 1
        else:
            assert new in LEGAL_CHANGES[old]
            assert is_changed == (old is expected)
            counts["changed" if is_changed else "missed"] += 1
            expected = new if is_changed else expected
        assert _status(database, run_id) is expected
        if expected in FINAL and draw.random() < 0.5:
            run_id, expected = add_run(database).id, RunStatus.WAITING_LOCKS
    assert counts["changed"] > 20
    assert counts["refused"] > 500
    assert counts["missed"] > 50


def test_the_log_of_a_run_is_an_unbroken_chain_of_legal_changes(database: Database) -> None:
    run = add_run(database)
    for old, new in [("WAITING_LOCKS", "PENDING_SUBMIT"), ("PENDING_SUBMIT", "SUBMITTED"), ("SUBMITTED", "FAILED")]:
        assert _change(database, run.id, RunStatus(old), RunStatus(new))
    with database.transaction() as session:
        events = RunRepository(session).events(run.id)
    assert [event.from_status for event in events] == [None, "WAITING_LOCKS", "PENDING_SUBMIT", "SUBMITTED"]
    assert [event.to_status for event in events] == ["WAITING_LOCKS", "PENDING_SUBMIT", "SUBMITTED", "FAILED"]


def test_of_20_who_change_one_run_at_once_one_succeeds(database: Database) -> None:
    run = add_run(database)
    won: list[bool] = []
    barrier = threading.Barrier(20)

    def claim() -> None:
        barrier.wait()
        won.append(_change(database, run.id, RunStatus.WAITING_LOCKS, RunStatus.PENDING_SUBMIT))

    threads = [threading.Thread(target=claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 19 + [True]


def test_an_agent_of_an_older_epoch_changes_nothing(database: Database) -> None:
    run = add_run(database)
    with database.transaction() as session:
        RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(1))
    with database.transaction() as session:
        assert RunRepository(session).adopt(2) == [run.id]
    assert not _change(database, run.id, RunStatus.PENDING_SUBMIT, RunStatus.SUBMITTED, epoch=1)
    assert _status(database, run.id) is RunStatus.PENDING_SUBMIT
    assert _change(database, run.id, RunStatus.PENDING_SUBMIT, RunStatus.SUBMITTED, epoch=2)


def test_two_claimers_never_take_the_same_run(database: Database) -> None:
    wanted = {add_run(database).id for _ in range(40)}
    taken: list[int] = []
    barrier = threading.Barrier(4)

    def claim() -> None:
        barrier.wait()
        for room in range(2, 82, 2):
            with database.transaction() as session:
                claimed = RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(room))
            taken.extend(run.id for run in claimed)

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(wanted)


def test_two_runs_never_hold_one_clone(database: Database) -> None:
    first, second = add_run(database, clone="spike"), add_run(database, clone="spike")
    with database.transaction() as session:
        assert [run.id for run in RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(5))] == [first.id]
    with pytest.raises(Locked):
        _change(database, second.id, RunStatus.WAITING_LOCKS, RunStatus.PENDING_SUBMIT)


def test_a_waiting_run_says_which_run_holds_its_clone(database: Database) -> None:
    first, second = add_run(database, clone="spike"), add_run(database, clone="spike")
    with database.transaction() as session:
        queue = RunQueue(session)
        queue.claim(node="n", epoch=1, capacity=Capacity(5))
        queue.explain_waiting(Capacity(5))
    with database.transaction() as session:
        assert RunRepository(session).get(second.id).waiting_for == f"lock: the clone spike held by run {first.id}"


def test_runs_of_one_job_go_one_after_the_other(database: Database) -> None:
    first, second = add_run(database, job_id="daily"), add_run(database, job_id="daily")
    with database.transaction() as session:
        assert [run.id for run in RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(5))] == [first.id]
    _change(database, first.id, RunStatus.PENDING_SUBMIT, RunStatus.FAILED)
    with database.transaction() as session:
        assert [run.id for run in RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(5))] == [second.id]


def test_a_run_that_is_not_planned_is_not_claimed(database: Database) -> None:
    add_run(database, is_planned=False)
    with database.transaction() as session:
        assert RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(5)) == []


@pytest.mark.parametrize("state", ["REQUESTED", "CLONING", "REMOVING"])
def test_no_run_begins_in_a_clone_that_is_being_made_or_removed(database: Database, state: str) -> None:
    run = add_run(database, clone="spike")
    with database.transaction() as session:
        CloneRepository(session).put("spike", url="file:///x", state=state)
    with database.transaction() as session:
        queue = RunQueue(session)
        assert queue.claim(node="n", epoch=1, capacity=Capacity(5)) == []
        queue.explain_waiting(Capacity(5))
    with database.transaction() as session:
        assert (
            RunRepository(session).get(run.id).waiting_for == "lock: the clone spike is being made, pushed or removed"
        )
        CloneRepository(session).put("spike", url="file:///x", state="READY")
    with database.transaction() as session:
        assert [found.id for found in RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(5))] == [run.id]


def test_a_clone_that_a_run_uses_is_neither_refreshed_nor_removed(database: Database) -> None:
    add_run(database, clone="spike")
    with database.transaction() as session:
        CloneRepository(session).put("spike", url="file:///x", state="READY")
        RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(5))
    clones = CloneService(database)
    with pytest.raises(WrongState):
        clones.request(Dataset("spike", "file:///x"))
    with pytest.raises(WrongState):
        clones.request_removal("spike")


def test_what_a_run_left_does_not_undo_a_wish_for_the_clone(database: Database) -> None:
    with database.transaction() as session:
        clones = CloneRepository(session)
        clones.put("spike", url="file:///x", state="REMOVING")
        clones.note_head("spike", "file:///x", None, "abc")
        session.expire_all()
        assert clones.get("spike").state == "REMOVING"
