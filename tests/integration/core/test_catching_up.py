"""Instants that passed while no agent was there: how many are made up for, and when those runs begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text

from app.models.job import Firing
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.services.firing import FiringService
from app.services.jobs import JobService
from tests.integration.core.timetable import START, Time, runs_of

HOURLY = {"tool": "spike", "schedule": "0 * * * *", "max_age_seconds": 7 * 86_400}
ALL = {**HOURLY, "misfire": "all", "overlap": "queue"}


def _firings(database: Database, job_id: str) -> list[Firing]:
    with database.transaction() as session:
        return list(reversed(JobRepository(session).firings(job_id, limit=2000)))


def _turns(database: Database) -> list[datetime]:
    return sorted(run.not_before for run in runs_of(database) if run.not_before is not None)


def _at_most_a_minute(turns: list[datetime], most: int) -> bool:
    return all(later - turn >= timedelta(minutes=1) for turn, later in zip(turns, turns[most:], strict=False))


def test_of_more_missed_instants_than_the_limit_the_newest_are_made_up_for(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {**ALL, "catch_up_limit": 3})
    time.now = START + timedelta(hours=10, minutes=30)
    clock.fire_due()
    firings = _firings(database, "spike")
    assert [found.outcome for found in firings] == ["missed"] * 7 + ["fired"] * 3
    assert firings[0].reason == "the job makes up for the newest 3 missed instants only"
    assert firings[-1].reason == "made up for, because no agent ran at that time"
    assert [run.due_at for run in runs_of(database)] == [START + timedelta(hours=hours) for hours in (8, 9, 10)]


def test_what_is_on_time_does_not_count_and_is_not_held_back(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {**ALL, "catch_up_limit": 2})
    time.now = START + timedelta(hours=5, seconds=3)
    clock.fire_due()
    runs = runs_of(database)
    assert [run.due_at for run in runs] == [START + timedelta(hours=hours) for hours in (3, 4, 5)]
    assert [run.not_before for run in runs] == [time.now, time.now + timedelta(seconds=1), None]


def test_no_more_of_all_jobs_may_begin_in_a_minute_than_the_setting_says(
    service: JobService, database: Database, time: Time, owner: Identity
) -> None:
    clock = FiringService(database, catch_up_per_minute=7)
    for number in range(130):
        service.schedule(owner, {**HOURLY, "id": f"job-{number}"})
    time.now = START + timedelta(hours=2, minutes=20)
    clock.fire_due()
    turns = _turns(database)
    assert len(turns) == 130
    assert turns[0] == time.now
    assert _at_most_a_minute(turns, 7)
    assert turns[-1] - turns[0] < timedelta(minutes=130 / 7 + 1)


def test_the_next_pass_and_a_new_agent_go_on_behind_the_last_turn(
    service: JobService, database: Database, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {**ALL, "id": "first"})
    service.schedule(owner, {**ALL, "id": "second", "schedule": "30 * * * *"})
    for hours in (6, 6.2, 14, 14.01):
        time.now = START + timedelta(hours=hours)
        FiringService(database, catch_up_per_minute=2).fire_due()
    turns = _turns(database)
    assert len(turns) == 5 + 6 + 7 + 8
    assert _at_most_a_minute(turns, 2)


def test_a_turn_counts_though_its_run_has_begun_or_was_stopped(
    service: JobService, database: Database, time: Time, owner: Identity
) -> None:
    clock = FiringService(database, catch_up_per_minute=1)
    service.schedule(owner, {**HOURLY, "id": "first"})
    service.schedule(owner, {**HOURLY, "id": "second", "schedule": "1 13 * * *"})
    time.now = START + timedelta(hours=1, seconds=50)
    clock.fire_due()
    with database.transaction() as session:
        session.execute(text("update runs set not_before = null, status = 'FAILED', ended_at = now()"))
    began, time.now = time.now, time.now + timedelta(seconds=50)
    clock.fire_due()
    assert _turns(database) == [began + timedelta(minutes=1)]


def test_without_a_limit_all_may_begin_at_once(
    service: JobService, database: Database, time: Time, owner: Identity
) -> None:
    service.schedule(owner, ALL)
    time.now = START + timedelta(hours=5, minutes=30)
    FiringService(database, catch_up_per_minute=0).fire_due()
    assert _turns(database) == [time.now] * 5


def test_a_turn_that_a_clock_gave_out_which_was_ahead_holds_back_nobody(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {**HOURLY, "id": "first"})
    time.now = START + timedelta(days=2, minutes=1)
    clock.fire_due()
    service.schedule(owner, {**HOURLY, "id": "second"})
    time.now = START + timedelta(days=1, minutes=20)
    with database.transaction() as session:
        session.execute(text("update jobs set next_run_at = :at where id = 'second'"), {"at": START})
    clock.fire_due()
    assert runs_of(database, "second")[0].not_before == time.now


def test_a_hundred_thousand_instants_of_an_outage_leave_the_newest_thousand(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {**ALL, "schedule": "* * * * *", "catch_up_limit": 1000})
    time.now = START + timedelta(minutes=100_000)
    clock.fire_due()
    firings = _firings(database, "spike")
    assert (len(firings), firings[-1].due_at) == (1000, time.now)
    assert {later.due_at - found.due_at for found, later in pairwise(firings)} == {timedelta(minutes=1)}


@pytest.mark.parametrize("overlap", ["skip", "replace"])
def test_missed_instants_of_one_job_make_one_run_where_runs_may_not_queue(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity, overlap: str
) -> None:
    service.schedule(owner, {**ALL, "overlap": overlap})
    time.now = START + timedelta(hours=3, minutes=30)
    clock.fire_due()
    outcomes = [found.outcome for found in _firings(database, "spike")]
    assert outcomes == (["fired", "skipped", "skipped"] if overlap == "skip" else ["missed", "missed", "fired"])
    assert len(runs_of(database)) == 1


def test_a_thousand_jobs_of_one_second_all_fire_in_one_pass(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    with database.transaction() as session:
        session.execute(_FILL, {"at": START + timedelta(hours=1)})
    time.now = START + timedelta(hours=1)
    assert clock.fire_due() == START + timedelta(hours=2)
    with database.transaction() as session:
        counts = session.execute(_COUNT).one()
    assert tuple(counts) == (1000, 1000, 1000)


def test_a_job_that_the_database_refuses_is_paused_and_holds_up_no_other(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    for number in range(5):
        service.schedule(owner, {**HOURLY, "id": f"job-{number}", "tool": "other" if number == 2 else "spike"})
    with database.transaction() as session:
        session.execute(text("alter table runs add constraint ck_no_other check (tool <> 'other')"))
    time.now = START + timedelta(hours=1)
    assert clock.fire_due() == START + timedelta(hours=2)
    assert [len(runs_of(database, f"job-{number}")) for number in range(5)] == [1, 1, 0, 1, 1]
    job, _ = service.get(owner, "job-2")
    assert (job.paused_at, job.next_run_at) == (time.now, None)
    with database.transaction() as session:
        session.execute(text("alter table runs drop constraint ck_no_other"))
    service.resume(owner, "job-2")
    time.now = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
    clock.fire_due()
    assert len(runs_of(database, "job-2")) == 1


_FILL = text("""
    insert into jobs (id, tool, trigger, max_age_seconds, owner, submitter, created_at, updated_at, next_run_at)
    select 'job-' || n, 'spike', '0 * * * *', 86400, 'o', 'o', :at, :at, :at from generate_series(1, 1000) n
""")
_COUNT = text("""
    select count(distinct f.job_id), count(distinct f.run_id), count(distinct e.run_id)
      from firings f join runs r on r.id = f.run_id and r.due_at = f.due_at join run_events e on e.run_id = r.id
     where f.outcome = 'fired' and r.status = 'WAITING_LOCKS' and e.actor = 'job ' || f.job_id
""")
