"""What can be asked about a job: when it is due next, and why it ran, or did not run, at an instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.errors import Invalid, NotFound
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.services.firing import FiringService
from app.services.jobs import JobService
from app.services.turns import offset_of
from app.services.why import Answer
from tests.integration.core.timetable import START, Time, runs_of

HOUR = timedelta(hours=1)
JITTER = 3000
OFFSET = offset_of("spike", JITTER)
Ask = Callable[[datetime], Answer]


@pytest.fixture
def why(service: JobService, owner: Identity) -> Ask:
    return lambda at: service.why(owner, "spike", at)


@pytest.fixture
def hourly(service: JobService, owner: Identity) -> None:
    service.schedule(owner, {"tool": "spike", "schedule": "0 * * * *", "zone": "Europe/Athens"})


def _pass(clock: FiringService, time: Time, *hours: float) -> None:
    for hour in hours:
        time.now = START + hour * HOUR
        clock.fire_due()


def test_an_instant_that_fired_names_its_run_and_its_state(
    hourly: None, why: Ask, clock: FiringService, database: Database, time: Time
) -> None:
    _pass(clock, time, 1, 2)
    [run] = runs_of(database)
    answer = why(START + HOUR + timedelta(seconds=30))
    assert answer.outcome == "fired"
    assert answer.answer == f"It was due at 2026-03-01 15:00+02:00 and fired: run {run.id} is WAITING_LOCKS."
    assert (answer.due_at, answer.run_status) == (START + HOUR, "WAITING_LOCKS")
    assert answer.firing is not None
    assert answer.firing.run_id == run.id
    assert (answer.previous_due_at, answer.next_due_at) == (None, START + 2 * HOUR)
    assert answer.local_at.isoformat() == "2026-03-01T15:00:00+02:00"


def test_an_instant_that_was_skipped_says_which_run_was_in_the_way(
    hourly: None, why: Ask, clock: FiringService, database: Database, time: Time
) -> None:
    _pass(clock, time, 1, 2)
    expected = f"did not run; skipped: run {runs_of(database)[0].id} of this job was not over yet."
    answer = why(START + 2 * HOUR)
    assert (answer.outcome, answer.answer.partition("and ")[2]) == ("skipped", expected)


def test_an_instant_that_was_missed_or_made_up_for_says_so(
    hourly: None, why: Ask, clock: FiringService, time: Time
) -> None:
    _pass(clock, time, 2.5)
    assert why(START + HOUR).answer.endswith("missed: made up for by the firing of 2026-03-01T14:00:00+00:00.")
    assert "(made up for later, because no agent ran at that time)" in why(START + 2 * HOUR).answer


def test_an_instant_of_a_pause_gives_the_reason_that_was_given(
    hourly: None, why: Ask, service: JobService, clock: FiringService, time: Time, owner: Identity
) -> None:
    service.pause(owner, "spike", "the museum is closed", START + 3 * HOUR)
    _pass(clock, time, 1)
    assert why(START + HOUR).answer.endswith("did not run; paused: the museum is closed.")
    coming = why(START + 2 * HOUR)
    assert (coming.outcome, coming.firing) == ("paused", None)
    assert coming.answer.endswith("will not run then: the job is paused until 2026-03-01 17:00+02:00.")
    assert why(START + 3 * HOUR).outcome == "coming"


def test_a_minute_between_two_instants_names_both(hourly: None, why: Ask, clock: FiringService, time: Time) -> None:
    _pass(clock, time, 1, 2, 3)
    answer = why(START + 1.5 * HOUR)
    assert (answer.outcome, answer.due_at) == ("not_due", None)
    assert answer.answer == (
        "It is not due at 2026-03-01 15:30+02:00; "
        "it is before that at 2026-03-01 15:00+02:00 and after that at 2026-03-01 16:00+02:00."
    )
    assert (answer.previous_due_at, answer.next_due_at) == (START + HOUR, START + 2 * HOUR)


def test_before_the_job_was_made_it_was_too_early(hourly: None, why: Ask) -> None:
    answer = why(START - HOUR)
    assert (answer.outcome, answer.answer) == ("too_early", "The job was made later, at 2026-03-01 14:00+02:00.")


def test_what_is_to_come_is_told_with_its_turn(
    service: JobService, why: Ask, clock: FiringService, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {"tool": "spike", "schedule": "0 * * * *", "jitter_seconds": JITTER})
    turn = START + HOUR + OFFSET
    by_instant, by_turn = why(START + HOUR), why(turn)
    assert by_instant.answer == by_turn.answer
    assert by_turn.answer.endswith(f"fires at {turn.isoformat(sep=' ')}, which is still to come.")
    time.now = turn + timedelta(minutes=5)
    assert why(turn).outcome == "waiting"
    clock.fire_due()
    assert {why(START + HOUR).outcome, why(turn).outcome} == {"fired"}


def test_after_a_change_the_record_is_trusted_and_not_the_present_schedule(
    hourly: None, why: Ask, service: JobService, clock: FiringService, time: Time, owner: Identity
) -> None:
    _pass(clock, time, 1)
    time.now = START + 1.5 * HOUR
    service.change(owner, "spike", {"schedule": "15 * * * *"})
    assert why(START + HOUR).outcome == "fired"
    assert why(START + HOUR + timedelta(minutes=15)).outcome == "changed"
    at = START + timedelta(minutes=30)
    answer = why(at)
    assert (answer.outcome, answer.previous_due_at, answer.next_due_at) == ("not_due", None, START + HOUR)
    assert answer.answer.endswith("it may have had another schedule before.")


def test_what_the_record_lost_is_not_made_up(
    hourly: None, why: Ask, clock: FiringService, database: Database, time: Time
) -> None:
    _pass(clock, time, 1, 2)
    with database.transaction() as session:
        session.execute(text("update firings set run_id = null where due_at = :at"), {"at": START + HOUR})
        session.execute(text("delete from firings where due_at = :at"), {"at": START + 2 * HOUR})
    assert why(START + HOUR).answer.endswith("The record of its run has been removed.")
    assert why(START + 2 * HOUR).outcome == "unrecorded"


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-29T02:59", "2026-03-29 00:59"),
        ("2026-03-29T03:30", "2026-03-29 01:00"),
        ("2026-10-25T03:30", "2026-10-25 00:30"),
    ],
)
def test_a_local_time_is_read_off_the_clock_of_the_jobs_zone(hourly: None, why: Ask, local: str, utc: str) -> None:
    assert why(datetime.fromisoformat(local)).at == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_job_that_runs_once_answers_too(
    service: JobService, why: Ask, clock: FiringService, time: Time, owner: Identity
) -> None:
    at = START + HOUR + timedelta(seconds=20)
    service.schedule(owner, {"tool": "spike", "at": at})
    assert why(START + HOUR).due_at == at
    assert why(START + 2 * HOUR).previous_due_at == at
    time.now = at
    clock.fire_due()
    answer = why(at)
    assert (answer.outcome, answer.next_due_at) == ("fired", None)
    assert why(datetime(9000, 12, 31, tzinfo=UTC)).outcome == "not_due"


def test_who_does_not_reach_a_job_gets_no_answer(hourly: None, service: JobService, stranger: Identity) -> None:
    for ask in (lambda: service.why(stranger, "spike", START), lambda: service.preview(stranger, "spike", 1)):
        with pytest.raises(NotFound):
            ask()


def test_a_schedule_that_cannot_be_read_is_an_error_with_words(
    hourly: None, why: Ask, service: JobService, database: Database, owner: Identity
) -> None:
    with database.transaction() as session:
        JobRepository(session).get("spike").zone = "Europe/Atlantis"
    for ask in (lambda: why(START), lambda: service.preview(owner, "spike", 1)):
        with pytest.raises(Invalid):
            ask()


def test_a_preview_tells_instants_local_times_and_turns(service: JobService, time: Time, owner: Identity) -> None:
    values = {"tool": "spike", "schedule": "daily", "time_of_day": "03:30", "zone": "Europe/Athens"}
    service.schedule(owner, {**values, "jitter_seconds": JITTER})
    time.now = datetime(2026, 3, 27, 12, tzinfo=UTC)
    found = service.preview(owner, "spike", 3)
    assert found.offset_seconds == OFFSET.total_seconds()
    assert [item.local_at.isoformat() for item in found.items][:2] == [
        "2026-03-28T03:30:00+02:00",
        "2026-03-29T04:00:00+03:00",
    ]
    assert all(item.fire_at == item.due_at + OFFSET for item in found.items)


def test_a_preview_begins_with_the_instant_whose_turn_is_next(
    service: JobService, clock: FiringService, time: Time, owner: Identity
) -> None:
    service.schedule(owner, {"tool": "spike", "schedule": "0 * * * *", "jitter_seconds": JITTER})
    time.now = START + HOUR + timedelta(minutes=1)
    clock.fire_due()
    assert [item.due_at for item in service.preview(owner, "spike", 2).items] == [START + HOUR, START + 2 * HOUR]


def test_a_preview_shows_what_a_pause_will_swallow(hourly: None, service: JobService, owner: Identity) -> None:
    service.pause(owner, "spike", "", START + 2.5 * HOUR)
    assert [item.is_paused for item in service.preview(owner, "spike", 4).items] == [True, True, False, False]


@pytest.mark.parametrize(
    ("values", "count", "found"),
    [
        ({"schedule": "weekly"}, 100, 100),
        ({"schedule": "0 0 29 2 *"}, 100, 24),
        ({"at": START + HOUR}, 100, 1),
        ({"schedule": "daily"}, 1, 1),
    ],
)
def test_a_schedule_is_previewed_without_being_stored(
    service: JobService, owner: Identity, values: dict[str, Any], count: int, found: int
) -> None:
    assert len(service.preview_unstored(values, count).items) == found
    assert service.list(owner) == []


def test_the_preview_of_a_bad_schedule_names_the_field(service: JobService, time: Time) -> None:
    with pytest.raises(Invalid) as refused:
        service.preview_unstored({"schedule": "daily", "zone": "Nowhere"}, 1)
    assert list(refused.value.fields) == ["zone"]
