"""A database of its own for each test, and the people who use the product."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.models.run import Run
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.runs import new_run

ALL = frozenset(Permission)
OWN_RUNS = frozenset({Permission.JOB_SUBMIT, Permission.JOB_RUN_READ, Permission.JOB_RUN_ABORT})


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=10)
    yield made
    made.close()


@pytest.fixture
def owner() -> Identity:
    return Identity("olga", "archive-group", ALL)


@pytest.fixture
def stranger() -> Identity:
    return Identity("sven", "other-group", OWN_RUNS)


def add_run(database: Database, *, is_planned: bool = True, **columns: object) -> Run:
    """Store a run that waits for an agent."""
    tool = str(columns.pop("tool", "spike"))
    given = {"backend": "dummy", "tool_entry": {"name": "spike"} if is_planned else None, "parameters": {}, **columns}
    with database.transaction() as session:
        run = new_run(tool, submitter="olga", owner="archive-group", **given)
        return RunRepository(session).add(run, actor="olga")
