"""Jobs that are changed: jitter, edits, pauses with an end, new rules of a zone. None fires in the past, or twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.errors import Invalid, NotFound
from app.models.job import Job
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.services.firing import FiringService
from app.services.jobs import JobService
from app.services.turns import offset_of
from app.services.zone_rules import apply_zone_rules
from tests.integration.core.timetable import START, Time, runs_of

HOUR = timedelta(hours=1)
JITTER = 3000
OFFSET = offset_of("spike", JITTER)
NEPAL = "Asia/Kathmandu"


@pytest.fixture
def scheduled(service: JobService, owner: Identity) -> Callable[..., Job]:
    def schedule(**values: Any) -> Job:
        return service.schedule(owner, {"tool": "spike", "schedule": "0 * * * *", **values})[0]

    return schedule


@pytest.fixture
def record(database: Database) -> Callable[[], list[tuple[datetime, str]]]:
    """Give the recorded instants with their outcomes, oldest first."""

    def read() -> list[tuple[datetime, str]]:
        with database.transaction() as session:
            firings = JobRepository(session).firings("spike", limit=500)
            return [(found.due_at, found.outcome) for found in reversed(firings)]

    return read


Record = Callable[[], list[tuple[datetime, str]]]


def test_the_offsets_of_this_file_are_far_from_both_ends() -> None:
    assert timedelta(minutes=5) < OFFSET < timedelta(minutes=45)


def test_a_job_with_jitter_fires_later_and_for_its_instant(
    scheduled: Callable[..., Job], clock: FiringService, database: Database, time: Time, record: Record
) -> None:
    assert scheduled(jitter_seconds=JITTER).next_run_at == START + HOUR + OFFSET
    time.now = START + HOUR + OFFSET - timedelta(seconds=1)
    assert clock.fire_due() == START + HOUR + OFFSET
    assert record() == []
    time.now += timedelta(seconds=1)
    assert clock.fire_due() == START + 2 * HOUR + OFFSET
    assert record() == [(START + HOUR, "fired")]
    [run] = runs_of(database)
    assert (run.due_at, run.not_before) == (START + HOUR, None)


def test_jitter_does_not_make_an_instant_late_or_too_old(
    scheduled: Callable[..., Job], clock: FiringService, time: Time, record: Record
) -> None:
    scheduled(jitter_seconds=JITTER, max_age_seconds=60, misfire="none")
    time.now = START + HOUR + OFFSET + timedelta(seconds=2)
    clock.fire_due()
    assert record() == [(START + HOUR, "fired")]


def test_a_single_instant_has_its_jitter_too(
    service: JobService, clock: FiringService, time: Time, owner: Identity, record: Record
) -> None:
    at = START + HOUR
    job, _ = service.schedule(owner, {"tool": "spike", "at": at, "jitter_seconds": JITTER})
    assert job.next_run_at == at + OFFSET
    time.now = at + OFFSET
    assert clock.fire_due() is None
    assert record() == [(at, "fired")]


@pytest.mark.parametrize(
    ("minute", "new_jitter", "next_turn", "given_up"),
    [
        (1, 0, 2 * HOUR, True),
        (1, 3600, HOUR + offset_of("spike", 3600), False),
        (59, 0, 2 * HOUR, False),
        (59, 60, 2 * HOUR + offset_of("spike", 60), False),
    ],
)
def test_a_new_jitter_neither_fires_in_the_past_nor_twice(
    service: JobService,
    scheduled: Callable[..., Job],
    clock: FiringService,
    time: Time,
    owner: Identity,
    record: Record,
    minute: int,
    new_jitter: int,
    next_turn: timedelta,
    given_up: bool,
) -> None:
    scheduled(jitter_seconds=JITTER)
    time.now = START + HOUR + timedelta(minutes=minute)
    clock.fire_due()
    job = service.change(owner, "spike", {"jitter_seconds": new_jitter})
    assert job.next_run_at == START + next_turn
    clock.fire_due()
    assert record() == [(START + HOUR, "missed" if given_up else "fired")][: given_up or minute == 59]
    time.now = START + 4 * HOUR
    clock.fire_due()
    instants = [at for at, _ in record()]
    assert instants == sorted(set(instants))
    assert instants[0] == START + HOUR


def test_a_change_touches_only_what_it_names(
    service: JobService, scheduled: Callable[..., Job], time: Time, owner: Identity
) -> None:
    before = scheduled(description="old", overlap="queue", parameters={"env": {"A": "1"}}, jitter_seconds=JITTER)
    due_at = before.next_run_at
    time.now = START + timedelta(minutes=5)
    changed = service.change(owner, "spike", {"description": "new", "misfire": "all", "catch_up_limit": 4})
    assert (changed.description, changed.misfire, changed.catch_up_limit) == ("new", "all", 4)
    assert (changed.overlap, changed.parameters, changed.jitter_seconds) == ("queue", {"env": {"A": "1"}}, JITTER)
    assert (changed.next_run_at, changed.trigger, changed.created_at) == (due_at, "0 * * * *", START)
    assert (changed.updated_at, changed.submitter) == (time.now, owner.identifier)
    assert service.change(owner, "spike", {"parameters": {}}).parameters == {}


def test_an_overdue_instant_survives_a_change_that_leaves_the_schedule(
    service: JobService,
    scheduled: Callable[..., Job],
    clock: FiringService,
    time: Time,
    owner: Identity,
    record: Record,
) -> None:
    scheduled()
    time.now = START + HOUR + timedelta(minutes=10)
    service.change(owner, "spike", {"description": "x", "schedule": "0 * * * *", "zone": "UTC", "jitter_seconds": 0})
    service.schedule(owner, {"tool": "spike", "schedule": "0 * * * *"})
    clock.fire_due()
    assert record() == [(START + HOUR, "fired")]


@pytest.mark.parametrize(
    ("values", "due_at"),
    [
        ({"schedule": "30 * * * *"}, START + 2 * HOUR + HOUR / 2),
        (
            {"schedule": "daily", "time_of_day": "14:00", "zone": "Asia/Kathmandu"},
            datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
        ),
        ({"zone": NEPAL}, datetime(2026, 3, 1, 14, 15, tzinfo=UTC)),
        ({"at": datetime(2026, 3, 4, tzinfo=UTC)}, datetime(2026, 3, 4, tzinfo=UTC)),
    ],
)
def test_a_new_schedule_counts_from_now_on_and_gives_up_what_was_overdue(
    service: JobService,
    scheduled: Callable[..., Job],
    clock: FiringService,
    time: Time,
    owner: Identity,
    record: Record,
    values: dict[str, Any],
    due_at: datetime,
) -> None:
    scheduled()
    time.now = START + 2 * HOUR + timedelta(minutes=5)
    assert service.change(owner, "spike", values).next_run_at == due_at
    clock.fire_due()
    assert record() == [(START + HOUR, "missed"), (START + 2 * HOUR, "missed")]


def test_the_time_of_day_alone_can_be_changed(
    service: JobService, scheduled: Callable[..., Job], owner: Identity
) -> None:
    scheduled(schedule="weekly", zone="Europe/Athens")
    changed = service.change(owner, "spike", {"time_of_day": "03:30"})
    assert (changed.trigger, changed.next_run_at) == ("30 3 * * 0", datetime(2026, 3, 8, 1, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("stored", "values", "field"),
    [
        ({}, {"time_of_day": "03:30"}, "timeOfDay"),
        ({"schedule": "daily"}, {"time_of_day": "25:30"}, "timeOfDay"),
        ({}, {"zone": "Atlantis"}, "zone"),
        ({}, {"schedule": "61 * * * *"}, "schedule"),
        ({}, {"at": START - HOUR}, "at"),
        ({}, {"at": START + HOUR, "schedule": "daily"}, "at"),
        ({}, {"at": START + HOUR, "time_of_day": "03:30"}, "timeOfDay"),
        ({}, {"at": datetime(9500, 1, 1, tzinfo=UTC)}, "at"),
        ({"schedule": None, "at": START + HOUR}, {"time_of_day": "03:30"}, "timeOfDay"),
    ],
)
def test_a_change_that_breaks_a_rule_names_the_field_and_changes_nothing(
    service: JobService,
    scheduled: Callable[..., Job],
    owner: Identity,
    stored: dict[str, Any],
    values: dict[str, Any],
    field: str,
) -> None:
    before = scheduled(**stored)
    with pytest.raises(Invalid) as refused:
        service.change(owner, "spike", values)
    assert list(refused.value.fields) == [field]
    after, _ = service.get(owner, "spike")
    assert (after.trigger, after.next_run_at) == (before.trigger, before.next_run_at)


def test_a_change_of_an_unknown_job_or_tool_or_of_somebody_elses_job_is_refused(
    service: JobService, scheduled: Callable[..., Job], owner: Identity, stranger: Identity
) -> None:
    scheduled()
    with pytest.raises(NotFound):
        service.change(owner, "spke", {"description": "x"})
    with pytest.raises(NotFound):
        service.change(owner, "spike", {"tool": "none"})
    with pytest.raises(NotFound):
        service.change(stranger, "spike", {"description": "x"})


def test_a_pause_with_an_end_is_over_by_itself(
    service: JobService,
    scheduled: Callable[..., Job],
    clock: FiringService,
    time: Time,
    owner: Identity,
    record: Record,
) -> None:
    scheduled()
    service.pause(owner, "spike", "away", START + 2 * HOUR + timedelta(minutes=30))
    for hours in (1, 2, 3):
        time.now = START + hours * HOUR
        clock.fire_due()
    assert [outcome for _, outcome in record()] == ["paused", "paused", "fired"]
    job, _ = service.get(owner, "spike")
    assert (job.paused_at, job.paused_until, job.pause_reason) == (None, None, None)


def test_what_passed_in_a_pause_and_after_it_is_told_apart_though_no_agent_was_there(
    service: JobService,
    scheduled: Callable[..., Job],
    clock: FiringService,
    time: Time,
    owner: Identity,
    record: Record,
) -> None:
    scheduled()
    service.pause(owner, "spike", "away", START + 3 * HOUR)
    time.now = START + 4 * HOUR + timedelta(minutes=30)
    clock.fire_due()
    assert [outcome for _, outcome in record()] == ["paused", "paused", "missed", "fired"]


def test_a_resumed_job_keeps_what_was_due_after_the_end_of_its_pause(
    service: JobService,
    scheduled: Callable[..., Job],
    clock: FiringService,
    time: Time,
    owner: Identity,
    record: Record,
) -> None:
    scheduled()
    service.pause(owner, "spike", "away", START + 3 * HOUR)
    time.now = START + 4 * HOUR + timedelta(minutes=30)
    assert service.resume(owner, "spike").next_run_at == START + 3 * HOUR
    assert [outcome for _, outcome in record()] == ["paused", "paused"]
    clock.fire_due()
    assert [outcome for _, outcome in record()] == ["paused", "paused", "missed", "fired"]


def test_resuming_a_job_that_is_not_paused_changes_nothing(
    service: JobService, scheduled: Callable[..., Job], time: Time, owner: Identity, record: Record
) -> None:
    scheduled()
    time.now = START + HOUR + timedelta(minutes=10)
    assert service.resume(owner, "spike").next_run_at == START + HOUR
    assert record() == []


def test_a_pause_cannot_end_in_the_past(service: JobService, scheduled: Callable[..., Job], owner: Identity) -> None:
    scheduled()
    with pytest.raises(Invalid) as refused:
        service.pause(owner, "spike", "", START)
    assert list(refused.value.fields) == ["until"]


def test_a_second_pause_takes_the_place_of_the_first(
    service: JobService, scheduled: Callable[..., Job], owner: Identity
) -> None:
    scheduled()
    service.pause(owner, "spike", "away", START + HOUR)
    job = service.pause(owner, "spike", "for good")
    assert (job.paused_until, job.pause_reason) == (None, "for good")


def test_new_rules_of_a_zone_move_what_is_to_come_and_leave_what_is_overdue(
    service: JobService, scheduled: Callable[..., Job], database: Database, time: Time, owner: Identity
) -> None:
    for job_id in ("right", "wrong", "overdue", "gone"):
        scheduled(id=job_id, schedule="daily", zone="Europe/Athens")
    due_at = datetime(2026, 3, 1, 22, tzinfo=UTC)
    with database.transaction() as session:
        jobs = JobRepository(session)
        jobs.move({"wrong": due_at + HOUR, "overdue": START - HOUR})
        jobs.get("gone").zone = "Europe/Atlantis"
    apply_zone_rules(database)
    found = [service.get(owner, job_id)[0].next_run_at for job_id in ("right", "wrong", "overdue", "gone")]
    assert found == [due_at, due_at, START - HOUR, due_at]


def test_new_rules_of_a_zone_let_no_instant_fire_from_before_the_job_was_made(
    service: JobService, scheduled: Callable[..., Job], clock: FiringService, database: Database, time: Time
) -> None:
    time.now = START + timedelta(minutes=5)
    # The day's instant was 5 minutes ago, and its turn by the jitter would still be to come.
    made = scheduled(schedule="daily", time_of_day="13:00", zone="Europe/Berlin", jitter_seconds=7200)
    assert timedelta(minutes=5) < offset_of("spike", 7200)
    apply_zone_rules(database)
    time.now = START + 2 * HOUR
    clock.fire_due()
    assert runs_of(database) == []
    with database.transaction() as session:
        assert JobRepository(session).get("spike").next_run_at == made.next_run_at


def test_new_rules_of_a_zone_keep_an_instant_whose_turn_is_still_to_come(
    service: JobService, scheduled: Callable[..., Job], database: Database, time: Time, owner: Identity
) -> None:
    made = scheduled(schedule="daily", time_of_day="14:00", zone="Europe/Berlin", jitter_seconds=7200)
    time.now = START + HOUR + timedelta(seconds=1)
    service.change(owner, "spike", {"description": "changed after the instant, before its turn"})
    apply_zone_rules(database)
    assert made.next_run_at is not None
    assert made.next_run_at > time.now
    assert service.get(owner, "spike")[0].next_run_at == made.next_run_at
