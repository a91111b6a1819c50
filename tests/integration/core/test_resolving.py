"""A run in doubt becomes what a person says, once, and the record says who said it."""

from __future__ import annotations

import pytest

from app.errors import Invalid, NotFound, WrongState
from app.models.run import RunStatus
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.listener import Channel
from app.repositories.runs import RUN_CHANNEL, RunRepository
from app.services.run_changes import RunChangeService
from tests.integration.core.conftest import add_run
from tests.integration.core.test_submitting import end, row

STRANGER = Identity("sven", "other-group", frozenset({"job_run_resolve", "job_run_refresh", "job_run_manual_start"}))


@pytest.fixture
def in_doubt(database: Database) -> int:
    run_id = add_run(database).id
    report = {
        "status": "IN_DOUBT",
        "cause": "lost",
        "reason": "Gone.",
        "text": "Report:\nRun in doubt",
        "runId": run_id,
    }
    end(database, run_id, RunStatus.IN_DOUBT, message="Gone.", report=report)
    return run_id


@pytest.mark.parametrize(
    ("said", "status", "cause"),
    [
        ("SUCCEEDED", "SUCCEEDED", "ok"),
        ("SUCCEDED", "SUCCEEDED", "ok"),
        ("failed", "FAILED", "tool_error"),
        ("ABORTED", "ABORTED", "cancelled"),
    ],
)
def test_a_run_in_doubt_becomes_what_a_person_says(
    database: Database, owner: Identity, in_doubt: int, said: str, status: str, cause: str
) -> None:
    ended_at = row(database, in_doubt).ended_at
    run = RunChangeService(database).resolve(owner, in_doubt, said, "I looked.")
    assert (run.status, run.cause) == (status, cause)
    assert run.message == f"Resolved as {status} by olga: I looked."
    assert run.ended_at == ended_at
    assert run.report is not None
    assert (run.report["status"], run.report["cause"], run.report["reason"]) == (status, cause, run.message)
    assert run.report["text"] == f"Report:\nRun in doubt\n{run.message}"
    with database.transaction() as session:
        event = RunRepository(session).events(in_doubt)[-1]
    assert (event.from_status, event.to_status, event.actor, event.cause) == ("IN_DOUBT", status, "olga", cause)


def test_what_is_resolved_stays_so(database: Database, owner: Identity, in_doubt: int) -> None:
    changes = RunChangeService(database)
    changes.resolve(owner, in_doubt, "FAILED", "I looked.")
    with pytest.raises(WrongState, match="only a run that is IN_DOUBT can be resolved"):
        changes.resolve(owner, in_doubt, "SUCCEEDED", "I looked again.")
    assert row(database, in_doubt).status == RunStatus.FAILED


@pytest.mark.parametrize("said", ["IN_DOUBT", "RUNNING", "DEFINED", "great"])
def test_nothing_but_an_end_is_a_resolution(database: Database, owner: Identity, in_doubt: int, said: str) -> None:
    with pytest.raises(Invalid):
        RunChangeService(database).resolve(owner, in_doubt, said, "I looked.")
    assert row(database, in_doubt).status == RunStatus.IN_DOUBT


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.ABORTED, None])
def test_a_run_that_is_not_in_doubt_is_not_resolved(
    database: Database, owner: Identity, status: RunStatus | None
) -> None:
    run_id = add_run(database).id
    if status is not None:
        end(database, run_id, status)
    with pytest.raises(WrongState):
        RunChangeService(database).resolve(owner, run_id, "SUCCEEDED", "I looked.")


def test_runs_of_others_are_out_of_reach(database: Database, in_doubt: int) -> None:
    changes, manual = RunChangeService(database), add_run(database, is_manual_start=True).id
    for change in (
        lambda: changes.resolve(STRANGER, in_doubt, "FAILED", "x"),
        lambda: changes.refresh(STRANGER, in_doubt),
        lambda: changes.start(STRANGER, manual),
    ):
        with pytest.raises(NotFound):
            change()
    assert (row(database, in_doubt).status, row(database, manual).status) == ("IN_DOUBT", "DEFINED")


def test_with_the_permission_for_all_they_are_in_reach(database: Database, in_doubt: int) -> None:
    helper = Identity("hans", "other-group", frozenset({"job_run_resolve", "job_run_change_any"}))
    assert RunChangeService(database).resolve(helper, in_doubt, "FAILED", "I looked.").status == RunStatus.FAILED


def test_a_refresh_wakes_the_agent_and_changes_nothing(database: Database, database_url: str, owner: Identity) -> None:
    run_id = add_run(database).id
    channel = Channel(database_url, (RUN_CHANNEL,))
    try:
        list(channel.wait(0))
        assert RunChangeService(database).refresh(owner, run_id).status == RunStatus.WAITING_LOCKS
        assert (RUN_CHANNEL, f"{run_id}:WAITING_LOCKS") in list(channel.wait(10))
    finally:
        channel.close()
