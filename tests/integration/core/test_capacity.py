"""Limits are counts of live rows, and whoever waits for one is told which."""

from __future__ import annotations

import random
import shutil
from collections import Counter, namedtuple
from datetime import timedelta

import pytest

from app.clock import utc_now
from app.models.run import HELD, Run, RunStatus
from app.repositories.database import Database
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.run_search import RunFilter, search
from app.repositories.runs import RunRepository
from tests.integration.core.conftest import add_run
from tests.integration.core.world import World

SEED = 20261122
Usage = namedtuple("Usage", "total used free")


def _claim(database: Database, capacity: Capacity) -> list[int]:
    with database.transaction() as session:
        return [run.id for run in RunQueue(session).claim(node="n", epoch=1, capacity=capacity)]


def _reason(database: Database, run: Run, capacity: Capacity) -> str | None:
    with database.transaction() as session:
        RunQueue(session).explain_waiting(capacity)
        return RunRepository(session).get(run.id).waiting_for


def _finish(database: Database, run_id: int) -> None:
    with database.transaction() as session:
        assert RunRepository(session).change(run_id, RunStatus.PENDING_SUBMIT, RunStatus.FAILED, actor="test")


def test_a_full_tool_leaves_its_slots_to_the_tools_behind_it(database: Database) -> None:
    spikes = [add_run(database, tool="spike") for _ in range(5)]
    other = add_run(database, tool="other")
    capacity = Capacity(4, per_tool=2)
    assert _claim(database, capacity) == [spikes[0].id, spikes[1].id, other.id]
    assert _reason(database, spikes[2], capacity) == "slot: the tool spike has as many runs as it may have, 2"
    _finish(database, spikes[0].id)
    assert _claim(database, capacity) == [spikes[2].id]


def test_a_full_backend_is_named(database: Database) -> None:
    first, second = add_run(database, backend="docker"), add_run(database, backend="docker")
    capacity = Capacity(4, per_backend=1)
    assert _claim(database, capacity) == [first.id]
    assert _reason(database, second, capacity) == "slot: the backend docker has as many runs as it may have, 1"


def test_a_full_owner_is_named(database: Database) -> None:
    first, second = add_run(database), add_run(database)
    capacity = Capacity(4, per_owner=1)
    assert _claim(database, capacity) == [first.id]
    assert _reason(database, second, capacity) == "slot: the owner archive-group has as many runs as it may have, 1"


def test_a_full_node_is_named(database: Database) -> None:
    first, second = add_run(database), add_run(database)
    assert _claim(database, Capacity(1)) == [first.id]
    assert _reason(database, second, Capacity(1)) == "slot: every slot of the node is taken"


def test_no_limit_is_ever_passed_while_runs_come_and_go_at_random(database: Database) -> None:
    chance = random.Random(SEED)
    capacity = Capacity(6, per_tool=2, per_backend=4)
    for _ in range(60):
        add_run(database, tool=f"tool-{chance.randrange(4)}", backend=chance.choice(["docker", "process"]))
    for _ in range(80):
        _claim(database, capacity)
        with database.transaction() as session:
            runs = RunRepository(session)
            held = [runs.get(run_id) for run_id in runs.held()]
        assert len(held) <= capacity.runs
        assert max(Counter(run.tool for run in held).values(), default=0) <= 2
        assert max(Counter(run.backend for run in held).values(), default=0) <= 4
        for run in chance.sample(held, min(2, len(held))):
            _finish(database, run.id)
    with database.transaction() as session:
        left = search(session, RunFilter(statuses=(RunStatus.WAITING_LOCKS, *HELD)), after=None, limit=100)
    assert left == [], f"these runs were to end: {[run.id for run in left]}"


def test_a_run_whose_time_has_not_come_waits_and_says_so(database: Database) -> None:
    run = add_run(database, not_before=utc_now() + timedelta(hours=1))
    assert _claim(database, Capacity(4)) == []
    assert (_reason(database, run, Capacity(4)) or "").startswith("schedule: begins at 2")
    with database.transaction() as session:
        RunRepository(session).set(run.id, not_before=utc_now() - timedelta(seconds=1))
    assert _claim(database, Capacity(4)) == [run.id]


def test_a_run_that_wants_locks_begins_with_their_token_only(database: Database) -> None:
    run = add_run(database, locks=["catalogue"])
    assert _claim(database, Capacity(4)) == []
    assert _reason(database, run, Capacity(4)) == "lock: its locks are being asked for"
    with database.transaction() as session:
        RunRepository(session).set(run.id, waiting_for="lock: catalogue held by run 7 on node b")
    assert _reason(database, run, Capacity(4)) == "lock: catalogue held by run 7 on node b"
    with database.transaction() as session:
        RunRepository(session).set(run.id, lock_token=7, lock_valid_until=utc_now() - timedelta(seconds=1))
    assert _claim(database, Capacity(4)) == []
    with database.transaction() as session:
        RunRepository(session).set(run.id, lock_valid_until=utc_now() + timedelta(minutes=1))
    assert _claim(database, Capacity(4)) == [run.id]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How full every disk seems to be, in percent."""
    percent = [50]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, percent[0], 100 - percent[0]))
    return percent


def test_on_a_full_disk_no_run_begins_until_there_is_room(world: World, disk: list[int]) -> None:
    disk[0] = 96
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    dispatcher.tend()
    row = world.row(run_id)
    assert row.status == RunStatus.WAITING_LOCKS
    assert row.waiting_for == "disk: 96 % of the disk of the clones is in use, and 95 % is the limit"
    disk[0] = 80
    dispatcher.step()
    assert world.until(run_id, RunStatus.SUCCEEDED).waiting_for is None


def test_on_a_fairly_full_disk_what_has_to_be_fetched_waits(world: World, disk: list[int]) -> None:
    disk[0] = 90
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    for _ in range(100):
        if world.row(run_id).waiting_for:
            break
        dispatcher.tend()
    assert world.row(run_id).waiting_for == "disk: There is no room for the image 'img'."
    disk[0] = 80
    assert world.until(run_id, RunStatus.SUCCEEDED).attempt == 1
