"""Runs are accepted once per key, wait for a start where that is wished, and are submitted again as a chain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from app.errors import AlreadyExists, NotFound, WrongState
from app.models.idempotency import IdempotencyKey
from app.models.run import FINAL, Cause, Run, RunStatus
from app.models.token import Identity
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.repositories.run_queue import RunQueue
from app.repositories.runs import RunRepository
from app.services.plans import Planner
from app.services.run_changes import RunChangeService
from app.services.submitting import SubmitService
from tests.integration.core.conftest import ALL, add_run

SPIKE = Tool("spike", "olga", "img:1", "", "", "", labels={"team": "tool's"}, locks=("site",))


class Desk:
    """A registry with one tool, and the service that takes runs of it."""

    def __init__(self, database: Database) -> None:
        self.kv = MemoryKv()
        self.registry = Registry(self.kv)
        self.registry.add_tool(SPIKE)
        self.submissions = SubmitService(database, Planner(self.registry, ["docker", "dummy"]))

    def change_tool(self, **values: Any) -> None:
        tool, revision = self.registry.get_tool("spike")
        self.registry.replace_tool(replace(tool, **values), revision)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def colleague() -> Identity:
    return Identity("carla", "archive-group", ALL)


def row(database: Database, run_id: int) -> Run:
    with database.transaction() as session:
        return RunRepository(session).get(run_id)


def end(database: Database, run_id: int, status: RunStatus, **values: Any) -> None:
    """Let a run that waits come to its end."""
    with database.transaction() as session:
        runs = RunRepository(session)
        runs.change(run_id, RunStatus.WAITING_LOCKS, RunStatus.PENDING_SUBMIT, actor="test")
        if status is RunStatus.ABORTED:
            runs.change(run_id, RunStatus.PENDING_SUBMIT, RunStatus.ABORTING, actor="test")
            runs.change(run_id, RunStatus.ABORTING, status, actor="test", cause=Cause.CANCELLED, **values)
            return
        runs.change(run_id, RunStatus.PENDING_SUBMIT, RunStatus.SUBMITTED, actor="test")
        runs.change(run_id, RunStatus.SUBMITTED, status, actor="test", cause=Cause.LOST, **values)


# Keys.


def test_of_50_at_once_with_each_of_20_keys_20_runs_come(database: Database, desk: Desk, owner: Identity) -> None:
    def send(number: int) -> tuple[int, int]:
        key = number % 20
        return key, desk.submissions.submit(owner, "spike", {"env": {"KEY": str(key)}}, key=f"key-{key}")

    with ThreadPoolExecutor(50) as pool:
        answers = set(pool.map(send, range(1000)))
    assert len(answers) == 20
    with database.transaction() as session:
        made = session.execute(select(Run.id, Run.parameters)).all()
    assert {(int(parameters["env"]["KEY"]), run_id) for run_id, parameters in made} == answers
    assert sorted(run_id for run_id, _ in made) == list(range(1, 21)), "a number was taken for a run that never came"


def test_a_key_with_another_body_names_the_run_that_it_made(desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {"env": {"A": "1"}}, key="k")
    with pytest.raises(AlreadyExists, match=f"has made run {run_id}"):
        desk.submissions.submit(owner, "spike", {"env": {"A": "2"}}, key="k")
    with pytest.raises(AlreadyExists):
        desk.submissions.submit(owner, "other", {"env": {"A": "1"}}, key="k")
    with pytest.raises(AlreadyExists):
        desk.submissions.resubmit(owner, run_id, {}, key="k")


def test_the_order_of_the_keys_of_a_body_does_not_matter(desk: Desk, owner: Identity) -> None:
    first = desk.submissions.submit(owner, "spike", {"env": {"A": "1", "B": "2"}, "publish": "none"}, key="k")
    assert desk.submissions.submit(owner, "spike", {"publish": "none", "env": {"B": "2", "A": "1"}}, key="k") == first


def test_each_submitter_has_keys_of_its_own(desk: Desk, owner: Identity, colleague: Identity) -> None:
    first = desk.submissions.submit(owner, "spike", {}, key="k")
    assert desk.submissions.submit(colleague, "spike", {"publish": "none"}, key="k") != first


def test_a_key_stays_with_the_owner_when_the_name_of_the_token_becomes_anothers(
    desk: Desk, owner: Identity, stranger: Identity
) -> None:
    first = desk.submissions.submit(owner, "spike", {}, key="k")
    successor = replace(stranger, identifier=owner.identifier)
    assert desk.submissions.submit(successor, "spike", {}, key="k") != first
    assert desk.submissions.submit(owner, "spike", {}, key="k") == first


def test_a_repeated_request_needs_the_registry_no_more(desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {}, key="k")
    desk.kv.is_down = True
    assert desk.submissions.submit(owner, "spike", {}, key="k") == run_id


def test_a_request_that_was_refused_leaves_its_key_free(desk: Desk, owner: Identity) -> None:
    with pytest.raises(NotFound):
        desk.submissions.submit(owner, "unknown", {}, key="k")
    assert desk.submissions.submit(owner, "spike", {}, key="k")


def test_without_a_key_each_request_makes_a_run(database: Database, desk: Desk, owner: Identity) -> None:
    assert desk.submissions.submit(owner, "spike", {}) != desk.submissions.submit(owner, "spike", {})
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == 0


def test_a_resubmission_is_made_once_per_key(database: Database, desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {})
    end(database, run_id, RunStatus.FAILED)
    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(lambda _: desk.submissions.resubmit(owner, run_id, {}, key="again"), range(40)))
    assert answers == {run_id + 1}


# What is wished.


def test_what_is_wished_is_stored_with_the_run(database: Database, desk: Desk, owner: Identity) -> None:
    wishes = {"labels": {"season": "autumn"}, "locks": ["vault", "site"], "has_runtime_variables": True}
    more = {"infrastructure_retries": 3, "tool_retries": 1, "env": {"A": "%%RUNID%%"}, "description": "d"}
    run = row(database, desk.submissions.submit(owner, "spike", {**wishes, **more}))
    assert run.labels == {"team": "tool's", "season": "autumn"}
    assert run.locks == ["site", "vault"]
    assert run.has_runtime_variables
    assert run.parameters == {"infrastructure_retries": 3, "tool_retries": 1, "env": {"A": "%%RUNID%%"}}
    assert (run.description, run.status, run.is_manual_start) == ("d", RunStatus.WAITING_LOCKS, False)


def test_a_run_with_a_manual_start_is_claimed_after_it_only(database: Database, desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {"is_manual_start": True})
    waiting = row(database, run_id)
    assert (waiting.status, waiting.submitted_at) == (RunStatus.DEFINED, None)
    assert waiting.waiting_for == f"manual start: maoctl run start {run_id}"
    with database.transaction() as session:
        assert RunQueue(session).unplanned() == []
    started = RunChangeService(database).start(owner, run_id)
    assert (started.status, started.submitted_at is not None) == (RunStatus.WAITING_LOCKS, True)
    with pytest.raises(WrongState, match="only a run that is DEFINED can be started"):
        RunChangeService(database).start(owner, run_id)


def test_of_20_who_start_a_run_at_once_one_succeeds(database: Database, desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {"is_manual_start": True})

    def start(_: int) -> bool:
        try:
            RunChangeService(database).start(owner, run_id)
        except WrongState:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(start, range(20))) == [False] * 19 + [True]
    with database.transaction() as session:
        events = RunRepository(session).events(run_id)
    assert [(event.to_status, event.actor) for event in events] == [("DEFINED", "olga"), ("WAITING_LOCKS", "olga")]


# Again.


def test_a_chain_of_resubmissions_points_to_its_first_run(database: Database, desk: Desk, owner: Identity) -> None:
    chain = [desk.submissions.submit(owner, "spike", {"env": {"A": "1"}, "labels": {"x": "y"}, "locks": ["vault"]})]
    for status in (RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.ABORTED, RunStatus.IN_DOUBT):
        end(database, chain[-1], status)
        chain.append(desk.submissions.resubmit(owner, chain[-1], {}))
    assert row(database, chain[0]).parent_id is None
    for run_id in chain[1:]:
        run = row(database, run_id)
        assert run.parent_id == chain[0]
        assert (run.tool, run.parameters) == ("spike", {"env": {"A": "1"}})
        assert (run.labels, run.locks) == ({"team": "tool's", "x": "y"}, ["site", "vault"])


def test_a_resubmission_reads_the_entry_anew(database: Database, desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {"labels": {"x": "y"}, "locks": ["vault"]})
    end(database, run_id, RunStatus.FAILED)
    desk.change_tool(image="img:2", labels={"team": "new"}, locks=("door",))
    again = row(database, desk.submissions.resubmit(owner, run_id, {}))
    assert again.tool_entry is not None
    assert again.tool_entry["image"] == "img:2"
    assert (again.labels, again.locks) == ({"team": "new", "x": "y"}, ["door", "vault"])


def test_a_resubmission_may_change_parameters_and_description(database: Database, desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {"publish": "none", "timeout_seconds": 5, "description": "old"})
    end(database, run_id, RunStatus.FAILED)
    again = row(database, desk.submissions.resubmit(owner, run_id, {"timeout_seconds": 9, "description": "new"}))
    assert again.parameters == {"publish": "none", "timeout_seconds": 9}
    assert again.description == "new"


@pytest.mark.parametrize("status", sorted(set(RunStatus) - FINAL))
def test_a_run_that_is_not_over_is_not_submitted_again(
    database: Database, desk: Desk, owner: Identity, status: RunStatus
) -> None:
    run = add_run(database)
    with database.transaction() as session:
        RunRepository(session).set(run.id, status=status)
    with pytest.raises(WrongState, match="only a run that is over"):
        desk.submissions.resubmit(owner, run.id, {})


def test_another_ones_run_is_submitted_again_for_its_owner(database: Database, desk: Desk, owner: Identity) -> None:
    run_id = desk.submissions.submit(owner, "spike", {})
    end(database, run_id, RunStatus.FAILED)
    neighbour = Identity("nora", "other-group", frozenset({"job_run_resubmit"}))
    with pytest.raises(NotFound):
        desk.submissions.resubmit(neighbour, run_id, {})
    helper = Identity("hans", "other-group", frozenset({"job_run_resubmit", "job_run_change_any"}))
    again = row(database, desk.submissions.resubmit(helper, run_id, {}))
    assert (again.owner, again.submitter) == ("archive-group", "hans")
