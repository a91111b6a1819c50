"""A database of its own for each test, and the people who use the product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.models.run import Run
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services import firing, jobs, zone_rules
from app.services.firing import FiringService
from app.services.jobs import JobService
from app.services.runs import new_run
from app.settings import Settings
from tests.integration.core.callers import Callers
from tests.integration.core.timetable import KnownTools, Time

if TYPE_CHECKING:
    from tests.integration.core.publishing_site import Site
    from tests.integration.core.world import World

ALL = frozenset(Permission)
OWN_RUNS = frozenset({Permission.JOB_SUBMIT, Permission.JOB_RUN_READ, Permission.JOB_RUN_ABORT})


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=10)
    yield made
    made.close()


@pytest.fixture
def callers(settings: Settings) -> Iterator[Callers]:
    made = Callers(settings)
    yield made
    made.close()


@pytest.fixture
def owner() -> Identity:
    return Identity("olga", "archive-group", ALL)


@pytest.fixture
def stranger() -> Identity:
    return Identity("sven", "other-group", OWN_RUNS)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """An agent's world; no call to its backend may be made while a transaction is open."""
    # The world needs what stands below, so it cannot be imported above.
    from tests.integration.core.world import WatchedDatabase, World

    made = World(WatchedDatabase(database_url, pool_size=10), tmp_path)
    yield made
    made.end()
    assert made.sins == [], "calls to the backend were made while a transaction was open"
    made.database.close()


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    """A node whose tool publishes to a repository of its own; no remote is asked while a transaction is open."""
    from tests.integration.core.publishing_site import Site
    from tests.integration.core.world import WatchedDatabase, World

    made = World(WatchedDatabase(database_url, pool_size=10), tmp_path / "instance")
    yield Site(made, tmp_path)
    made.end()
    assert made.sins == []
    made.database.close()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time of everything that has to do with schedules."""
    made = Time()
    for module in (firing, jobs, zone_rules):
        monkeypatch.setattr(module, "utc_now", made)
    return made


@pytest.fixture
def service(database: Database, time: Time) -> JobService:
    return JobService(database, KnownTools())  # type: ignore[arg-type]


@pytest.fixture
def clock(database: Database) -> FiringService:
    return FiringService(database, catch_up_per_minute=60)


def add_run(database: Database, *, is_planned: bool = True, **columns: object) -> Run:
    """Store a run that waits for an agent."""
    tool = str(columns.pop("tool", "spike"))
    given = {"backend": "dummy", "tool_entry": {"name": "spike"} if is_planned else None, "parameters": {}, **columns}
    with database.transaction() as session:
        run = new_run(tool, submitter="olga", owner="archive-group", **given)
        return RunRepository(session).add(run, actor="olga")
