"""The clock's work over a year, with agents that stop and start at random moments and a time that jumps."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from app.models.job import Firing
from app.models.token import Identity
from app.repositories.database import Database
from app.services.firing import FiringService
from app.services.jobs import JobService
from tests.integration.core.timetable import Time, runs_of

BEGIN, END = datetime(2025, 1, 10, 12, 0, 17, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ZONES = ("Europe/Zurich", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll")
SKIPPED = {
    "Europe/Zurich": "02:30",
    "Australia/Lord_Howe": "02:15",
    "America/Havana": "00:30",
    "Antarctica/Troll": "02:00",
}


def _firings(database: Database, job_id: str) -> list[Firing]:
    with database.transaction() as session:
        query = select(Firing).where(Firing.job_id == job_id).order_by(Firing.due_at)
        return list(session.scalars(query))


def _end_runs(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("update runs set status = 'SUCCEEDED', ended_at = now() where ended_at is null"))


def _schedule(service: JobService, owner: Identity, zone: str, **values: object) -> None:
    service.schedule(
        owner,
        {
            "tool": "spike",
            "id": zone.split("/")[1].lower(),
            "schedule": "daily",
            "zone": zone,
            "max_age_seconds": 366 * 86_400,
        }
        | {"time_of_day": SKIPPED[zone], "misfire": "all", "catch_up_limit": 1000, "overlap": "queue", **values},
    )


def _check_each_local_date(database: Database, zone: str, until: datetime) -> None:
    """Check that every local date has just one firing, that each fired one has its run, and no run has another."""
    job_id, local = zone.split("/")[1].lower(), ZoneInfo(zone)
    firings = _firings(database, job_id)
    dates = [found.due_at.astimezone(local).date() for found in firings]
    assert dates == [dates[0] + number * DAY for number in range(len(dates))]
    assert abs((dates[0] - BEGIN.date()).days) <= 1
    assert (until.astimezone(local).date() - dates[-1]).days <= 1
    fired = {found.run_id: found.due_at for found in firings if found.outcome == "fired"}
    assert fired == {run.id: run.due_at for run in runs_of(database, job_id)}


def test_a_year_of_restarts_fires_each_local_date_once(
    service: JobService, database: Database, time: Time, owner: Identity
) -> None:
    time.now, dice = BEGIN, random.Random(20)
    for number, zone in enumerate(ZONES):
        _schedule(service, owner, zone, jitter_seconds=[0, 5000][number % 2])
    clock = FiringService(database, 60)
    while time.now < END:
        following = clock.fire_due()
        assert following is not None
        assert following > time.now
        if dice.random() < 0.05:
            # The agent is away for up to a week, and another one begins at whatever moment that is.
            clock, following = FiringService(database, 60), time.now + dice.random() * 7 * DAY
            _end_runs(database)
        time.now = max(following, time.now + timedelta(seconds=1))
    for zone in ZONES:
        _check_each_local_date(database, zone, END)
    reasons = Counter(found.reason for found in _firings(database, "zurich"))
    assert reasons.keys() == {"due", "made up for, because no agent ran at that time"}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_time_does_no_instant_fires_twice_or_is_left_out(
    service: JobService, database: Database, time: Time, owner: Identity, seed: int
) -> None:
    time.now, dice = BEGIN, random.Random(seed)
    for zone in ZONES:
        _schedule(service, owner, zone)
    clock, latest = FiringService(database, 60), BEGIN
    for _ in range(250):
        following = clock.fire_due()
        assert following is not None
        latest = max(latest, time.now)
        # Mostly to the next instant, at times a jump: up to ten days ahead, or up to ten days back.
        jump = dice.random()
        time.now = following if jump < 0.8 else time.now + (dice.random() * 20 - 10) * DAY
    for zone in ZONES:
        _check_each_local_date(database, zone, latest)


def test_an_agent_that_is_killed_while_it_fires_leaves_all_or_nothing(
    service: JobService, database: Database, time: Time, owner: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    time.now, dice = BEGIN, random.Random(4)
    for zone in ZONES:
        _schedule(service, owner, zone)
    clock, killed = FiringService(database, 60), 0
    while time.now < BEGIN + 120 * DAY:
        if dice.random() < 0.3:
            step = dice.choice(["record", "link", "move", "next_due_at"])
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(f"app.repositories.jobs.JobRepository.{step}", _die)
                clock.fire_due()
                # Nothing was due, so that this step was not reached.
                raise KeyboardInterrupt
            killed += 1
        following = clock.fire_due()
        assert following is not None
        time.now = following
    assert killed > 100
    for zone in ZONES:
        _check_each_local_date(database, zone, time.now)


def _die(*_: object) -> None:
    raise KeyboardInterrupt
