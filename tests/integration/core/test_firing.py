"""Each due instant of a job leaves one firing, and at most one run."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.errors import DatabaseDown, Forbidden, Invalid, NotFound
from app.models.job import Firing, Job
from app.models.run import RunStatus
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.repositories.runs import RunRepository
from app.services.firing import FiringService
from app.services.jobs import JobService
from tests.integration.core.conftest import add_run
from tests.integration.core.timetable import START, Time, runs_of


def _firings(database: Database, job_id: str = "spike") -> list[Firing]:
    with database.transaction() as session:
        return list(reversed(JobRepository(session).firings(job_id, limit=500)))


def _runs(database: Database, job_id: str = "spike") -> list[int]:
    return [run.id for run in runs_of(database, job_id)]


def _end_all_runs(database: Database) -> None:
    waiting = [run for run in runs_of(database) if run.status == RunStatus.WAITING_LOCKS]
    with database.transaction() as session:
        runs = RunRepository(session)
        for run in waiting:
            assert runs.change(run.id, RunStatus.WAITING_LOCKS, RunStatus.FAILED, actor="test")


def _schedule(service: JobService, owner: Identity, **values: object) -> Job:
    return service.schedule(owner, {"tool": "spike", "schedule": "0 * * * *", **values})[0]


def test_a_due_job_makes_one_run_that_carries_its_instant(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    job = _schedule(service, owner)
    assert job.next_run_at == datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
    assert clock.fire_due() == job.next_run_at
    assert _runs(database) == []
    time.now = START + timedelta(hours=1, seconds=1)
    assert clock.fire_due() == datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
    [run_id] = _runs(database)
    [fired] = _firings(database)
    assert (fired.outcome, fired.run_id, fired.due_at) == ("fired", run_id, job.next_run_at)
    with database.transaction() as session:
        run = RunRepository(session).get(run_id)
        assert (run.due_at, run.owner, run.tool) == (job.next_run_at, owner.owner, "spike")


def test_a_job_hands_its_wishes_on_to_its_runs(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    wishes = {"labels": {"season": "autumn"}, "locks": ["site"], "has_runtime_variables": True, "tool_retries": 2}
    _schedule(service, owner, parameters={**wishes, "command": ["crawl", "%%RUNID%%"]})
    time.now = START + timedelta(hours=1)
    clock.fire_due()
    [run] = runs_of(database)
    assert run.parameters == {"command": ["crawl", "%%RUNID%%"], "tool_retries": 2}
    assert (run.labels, run.locks, run.has_runtime_variables) == ({"season": "autumn"}, ["site"], True)


def test_three_clocks_at_once_fire_each_instant_once(
    service: JobService, database: Database, time: Time, owner: Identity
) -> None:
    for number in range(20):
        _schedule(service, owner, id=f"job-{number}")
    time.now = START + timedelta(hours=1)
    threads = [threading.Thread(target=FiringService(database, 60).fire_due) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(20):
        assert len(_runs(database, f"job-{number}")) == 1
        assert len(_firings(database, f"job-{number}")) == 1


def test_after_downtime_last_fires_once_and_records_the_rest_as_missed(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner)
    time.now = START + timedelta(hours=5, minutes=30)
    clock.fire_due()
    assert [found.outcome for found in _firings(database)] == ["missed"] * 4 + ["fired"]
    assert len(_runs(database)) == 1


def test_after_downtime_all_fires_each_that_is_not_too_old(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner, misfire="all", max_age_seconds=3 * 3600, overlap="queue")
    time.now = START + timedelta(hours=5, minutes=30)
    clock.fire_due()
    assert [found.outcome for found in _firings(database)] == ["missed"] * 2 + ["fired"] * 3
    assert "older than" in _firings(database)[0].reason
    assert len(_runs(database)) == 3


def test_after_downtime_none_fires_nothing_that_is_late(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner, misfire="none")
    time.now = START + timedelta(hours=2, minutes=30)
    clock.fire_due()
    assert [found.outcome for found in _firings(database)] == ["missed"] * 2
    time.now = START + timedelta(hours=3, seconds=2)
    clock.fire_due()
    assert [found.outcome for found in _firings(database)][2:] == ["fired"]


def test_an_unfinished_run_makes_the_next_instant_skipped(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner)
    for hours in (1, 2):
        time.now = START + timedelta(hours=hours)
        clock.fire_due()
    [run_id] = _runs(database)
    assert [found.outcome for found in _firings(database)] == ["fired", "skipped"]
    assert f"run {run_id}" in _firings(database)[1].reason
    _end_all_runs(database)
    time.now = START + timedelta(hours=3)
    clock.fire_due()
    assert len(_runs(database)) == 2


def test_replace_stops_the_run_before(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner, overlap="replace")
    for hours in (1, 2):
        time.now = START + timedelta(hours=hours)
        clock.fire_due()
    oldest, newest = runs_of(database, "spike")
    assert (oldest.status, oldest.cause) == ("ABORTED", "cancelled")
    assert newest.status == "WAITING_LOCKS"


def test_a_paused_job_records_why_nothing_ran(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner)
    service.pause(owner, "spike", "the source is being moved")
    time.now = START + timedelta(hours=1)
    clock.fire_due()
    assert [(found.outcome, found.reason) for found in _firings(database)] == [
        ("paused", "paused: the source is being moved")
    ]
    assert _runs(database) == []
    service.resume(owner, "spike")
    time.now = START + timedelta(hours=2)
    clock.fire_due()
    assert len(_runs(database)) == 1


def test_an_edit_never_fires_in_the_past(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner)
    time.now = START + timedelta(hours=3, minutes=5)
    job, is_new = service.schedule(owner, {"tool": "spike", "schedule": "0 */2 * * *"})
    assert not is_new
    assert job.next_run_at == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    clock.fire_due()
    assert _runs(database) == []


def test_one_instant_fires_once_and_never_again(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    at = START + timedelta(minutes=10)
    service.schedule(owner, {"tool": "spike", "at": at})
    time.now = at
    assert clock.fire_due() is None
    assert clock.fire_due() is None
    assert len(_runs(database)) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"schedule": "0 0 30 2 *"}, "schedule"),
        ({"schedule": "daily", "zone": "Europe/Zurch"}, "zone"),
        ({"schedule": "daily", "time_of_day": "25:00"}, "timeOfDay"),
        ({}, "schedule"),
        ({"at": START - timedelta(days=1)}, "at"),
        ({"schedule": "daily", "id": "mao.mine"}, "id"),
        ({"schedule": "daily", "id": "../x"}, "id"),
    ],
)
def test_a_bad_schedule_names_the_field(
    service: JobService, owner: Identity, values: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        service.schedule(owner, {"tool": "spike", **values})
    assert field in refused.value.fields


def test_a_job_of_somebody_else_is_left_alone(service: JobService, owner: Identity, stranger: Identity) -> None:
    _schedule(service, owner)
    for attempt in (
        lambda: service.change(stranger, "spike", {"description": "mine"}),
        lambda: service.remove(stranger, "spike"),
        lambda: service.pause(stranger, "spike", "no"),
        lambda: service.resume(stranger, "spike"),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(Forbidden, match="taken") as refused:
        _schedule(service, stranger)
    assert owner.owner not in refused.value.message


def test_an_id_whose_runs_are_somebody_elses_is_not_given_away(
    service: JobService, owner: Identity, stranger: Identity, database: Database
) -> None:
    add_run(database, job_id="spike")
    with pytest.raises(Forbidden, match="taken"):
        _schedule(service, stranger)
    _schedule(service, owner)


def test_what_fired_for_the_owner_before_is_not_told_to_the_next_one(
    service: JobService, clock: FiringService, time: Time, owner: Identity, stranger: Identity
) -> None:
    _schedule(service, owner)
    service.pause(owner, "spike", "the museum was broken into")
    time.now = START + timedelta(hours=1)
    clock.fire_due()
    [known] = service.firings(owner, "spike")
    assert known.run_id is None
    service.remove(owner, "spike")
    _schedule(service, stranger)
    assert service.firings(stranger, "spike") == []
    assert service.why(stranger, "spike", known.due_at).firing is None
    time.now = START + timedelta(hours=2)
    clock.fire_due()
    assert known.due_at not in [found.due_at for found in service.firings(stranger, "spike")]
    assert service.firings(stranger, "spike")


def test_an_unknown_job_names_the_nearest(service: JobService, owner: Identity) -> None:
    _schedule(service, owner)
    with pytest.raises(NotFound) as refused:
        service.get(owner, "spkie")
    assert refused.value.hint == "Did you mean 'spike'?"


def test_a_job_whose_schedule_cannot_be_used_holds_up_no_other(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner, id="broken")
    _schedule(service, owner, id="sound")
    with database.transaction() as session:
        JobRepository(session).get("broken").zone = "Nowhere/Atlantis"
    time.now = START + timedelta(hours=1)
    clock.fire_due()
    assert _runs(database, "broken") == []
    assert len(_runs(database, "sound")) == 1
    job, _ = service.get(owner, "broken")
    assert job.paused_at is not None
    assert job.pause_reason is not None
    assert "cannot be used" in job.pause_reason


def test_a_crontab_that_nothing_can_read_holds_up_no_other_job(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner, id="broken")
    _schedule(service, owner, id="sound")
    with database.transaction() as session:
        JobRepository(session).get("broken").trigger = "99 99 * * *"
    time.now = START + timedelta(hours=1)
    clock.fire_due()
    assert len(_runs(database, "sound")) == 1
    assert service.get(owner, "broken")[0].paused_at is not None
    with pytest.raises(Invalid):
        service.resume(owner, "broken")


def test_a_resumed_job_fires_at_its_next_instant_and_none_of_the_pause(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner)
    service.pause(owner, "spike", "away")
    time.now = START + timedelta(hours=3, minutes=5)
    assert service.resume(owner, "spike").next_run_at == START + timedelta(hours=4)
    clock.fire_due()
    assert _runs(database) == []


def test_a_stranger_sees_no_job_of_another_owner(
    service: JobService, database: Database, time: Time, owner: Identity, stranger: Identity
) -> None:
    _schedule(service, owner, parameters={"env": {"KEY": "hidden"}})
    assert service.list(stranger) == []
    for look in (lambda: service.get(stranger, "spike"), lambda: service.firings(stranger, "spike")):
        with pytest.raises(NotFound):
            look()


def test_a_row_that_is_held_too_long_pauses_no_job(
    service: JobService, clock: FiringService, database: Database, time: Time, owner: Identity
) -> None:
    _schedule(service, owner, id="sound", overlap="replace")
    _schedule(service, owner, id="broken")
    time.now = START + timedelta(hours=1)
    clock.fire_due()
    [first] = _runs(database, "sound")
    with database.transaction() as session:
        JobRepository(session).get("broken").zone = "Nowhere/Atlantis"
    time.now = START + timedelta(hours=2)
    with database.transaction() as session:
        session.execute(text("select id from runs where id = :id for update"), {"id": first})
        with pytest.raises(DatabaseDown):
            clock.fire_due()
    assert service.get(owner, "sound")[0].paused_at is None
    clock.fire_due()
    assert service.get(owner, "sound")[0].paused_at is None
    assert service.get(owner, "broken")[0].paused_at is not None
    assert len(_runs(database, "sound")) == 2
