"""The figures for the operator are what the rows say."""

from __future__ import annotations

from datetime import timedelta

from app.clock import utc_now
from app.models.job import Job
from app.models.metric import Incident
from app.models.run import RunStatus
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.runs import RunRepository
from app.services.figures import FigureService
from app.services.terms import begin_term
from tests.integration.core.conftest import add_run


def _read(database: Database) -> dict[str, dict[str, float]]:
    return {figure.name: figure.values for figure in FigureService(database, slots=4).read()}


def test_an_empty_node_has_figures(database: Database) -> None:
    found = _read(database)
    assert found["mao_runs"] == dict.fromkeys(
        ["DEFINED", "WAITING_LOCKS", "PENDING_SUBMIT", "SUBMITTED", "RUNNING", "ABORTING"], 0
    )
    assert (found["mao_runs_in_doubt"], found["mao_jobs_overdue_seconds"]) == ({"": 0}, {"": 0})
    assert "mao_agent_seen_seconds" not in found
    assert found["mao_incidents_open"] == {"data": 0, "silence": 0}


def test_runs_are_counted_where_they_stand_and_by_what_they_wait_for(database: Database) -> None:
    for _ in range(4):
        add_run(database)
    with database.transaction() as session:
        (lost,) = RunQueue(session).claim(node="n", epoch=1, capacity=Capacity(1))
        RunRepository(session).change(lost.id, RunStatus.PENDING_SUBMIT, RunStatus.IN_DOUBT, actor="test")
    with database.transaction() as session:
        queue = RunQueue(session)
        queue.claim(node="n", epoch=1, capacity=Capacity(1))
        queue.explain_waiting(Capacity(1))
    begin_term(database, "n")

    found = _read(database)
    assert (found["mao_runs"]["WAITING_LOCKS"], found["mao_runs"]["PENDING_SUBMIT"]) == (2, 1)
    assert found["mao_runs_waiting"] == {"slot": 2}
    assert found["mao_runs_waiting_oldest_seconds"]["slot"] > 0
    assert found["mao_runs_in_doubt"] == {"": 1}
    assert found["mao_agent_epoch"] == {"": 1}


def test_incidents_are_counted_until_they_are_over(database: Database) -> None:
    known = {"kind": "silence", "status": "missing", "summary": "", "opened_at": utc_now()}
    with database.transaction() as session:
        session.add_all([Incident(tool="spike", **known), Incident(tool="other", **known)])
        session.add(Incident(tool="third", closed_at=utc_now(), **known))
    assert _read(database)["mao_incidents_open"] == {"data": 0, "silence": 2}


def test_a_job_that_nobody_fires_is_overdue(database: Database) -> None:
    now = utc_now()
    known = {"trigger": "0 0 * * *", "max_age_seconds": 60, "owner": "o", "submitter": "s", "created_at": now}
    with database.transaction() as session:
        due_at = now - timedelta(minutes=5)
        JobRepository(session).add(Job(id="spike", tool="spike", updated_at=now, next_run_at=due_at, **known))
    assert _read(database)["mao_jobs_overdue_seconds"][""] >= 300
