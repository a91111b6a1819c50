"""Files of runs go in their time, and no run begins without the files that it would have seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.clock import utc_now
from app.errors import Gone
from app.models.token import Identity
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.files import FileRepository
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.repositories.retention import RetentionRepository
from app.repositories.runs import RunRepository
from app.services.plans import Planner
from app.services.runs import new_run
from app.services.submitting import SubmitService
from tests.contracts import wait_until
from tests.integration.core.expiry import Sweeper, add_file, count, old_run

_WAITS_FOR_A_LOCK = "datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
def sweeper(database: Database) -> Sweeper:
    return Sweeper(database)


def _resubmission(database: Database, sweeper: Sweeper) -> tuple[SubmitService, int]:
    """Give who takes resubmissions, and the number of a run whose file has had its time."""
    registry = Registry(MemoryKv())
    registry.add_tool(Tool("spike", "olga", "img:1", "", "", ""))
    run_id = old_run(database, 40)
    add_file(database, run_id)
    sweeper.keep(files_days=30)
    return SubmitService(database, Planner(registry, ["docker", "dummy"])), run_id


def test_a_run_whose_files_are_gone_says_so_and_is_not_submitted_again(
    database: Database, sweeper: Sweeper, owner: Identity
) -> None:
    submissions, run_id = _resubmission(database, sweeper)
    again = old_run(database, 35, parent_id=run_id)
    untouched = old_run(database, 40)
    sweeper.remove()
    assert count(database, "runs", f"files_removed_at is not null and id in ({run_id}, {again})") == 2
    for number in (run_id, again):
        with pytest.raises(Gone, match=f"The files of run {run_id}") as refused:
            submissions.resubmit(owner, number, {})
        assert refused.value.hint is not None
        assert "upload the files anew" in refused.value.hint
    assert submissions.resubmit(owner, untouched, {}) > untouched


def test_a_resubmission_that_is_being_stored_keeps_the_files(
    database: Database, sweeper: Sweeper, owner: Identity
) -> None:
    _, run_id = _resubmission(database, sweeper)
    with database.transaction() as session:
        assert FileRepository(session).hold_chain(run_id) is None
        assert sweeper.remove()["files"].amount.count == 0
        again = RunRepository(session).add(
            new_run("spike", {}, submitter="olga", owner=owner.owner, backend="dummy", parent_id=run_id), actor="olga"
        )
    assert sweeper.remove()["files"].amount.count == 0
    with database.transaction() as session:
        assert len(FileRepository(session).visible(RunRepository(session).get(again.id))) == 1


def test_a_resubmission_that_comes_while_the_files_go_is_refused(
    database: Database, sweeper: Sweeper, owner: Identity
) -> None:
    submissions, run_id = _resubmission(database, sweeper)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            assert len(RetentionRepository(session).remove_files(utc_now() - timedelta(days=30))) == 1
            asked = pool.submit(submissions.resubmit, owner, run_id, {})
            wait_until(lambda: count(database, "pg_stat_activity", _WAITS_FOR_A_LOCK) == 1, "the call has to wait")
        with pytest.raises(Gone):
            asked.result()
