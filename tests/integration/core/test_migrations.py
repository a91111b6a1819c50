"""The migrations make exactly the tables that the models describe, and may be run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

import migrations
from app.errors import DatabaseDown
from app.models.base import Base
from app.repositories.database import Database, migrate


def _differences(database_url: str) -> list[Any]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = list(compare_metadata(context, Base.metadata))
    engine.dispose()
    return found


def test_the_migrations_and_the_models_agree(database_url: str) -> None:
    assert _differences(database_url) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    assert _differences(database_url) == []


OF_THE_FIRST_VERSION = """
    insert into installation (id, identifier, created_at) values (1, 'abc', now());
    insert into tokens (identifier, secret_sha256, permissions, owner, created_by, created_at)
        values ('ci', 'x', '[]', 'archive-group', 'root', now());
    insert into jobs (id, tool, trigger, max_age_seconds, owner, submitter, created_at, updated_at)
        values ('daily', 'spike', '0 0 * * *', 60, 'archive-group', 'ci', '2026-01-01Z', now());
    insert into runs (id, tool, job_id, status, submitter, owner, backend, labels, defined_at, ended_at)
        values (7, 'spike', 'daily', 'SUCCEEDED', 'ci', 'archive-group', 'docker', '{"a": "b"}', now(), now());
    insert into run_events (run_id, at, to_status, actor) values (7, now(), 'SUCCEEDED', 'agent@n');
    insert into run_output (run_id, start_byte, data) values (7, 0, 'hello');
    insert into firings (job_id, due_at, recorded_at, outcome, reason, run_id)
        values ('daily', '2026-01-02Z', '2026-01-02Z', 'fired', 'due', 7),
               ('daily', '2026-01-03Z', '2026-01-03Z', 'skipped', 'busy', null),
               ('gone', '2026-01-03Z', '2026-01-03Z', 'missed', 'old', null)
"""


def _go_back(database_url: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0001")
        connection.execute(text(OF_THE_FIRST_VERSION))
    engine.dispose()


def test_what_the_first_version_stored_is_there_after_an_upgrade(database_url: str) -> None:
    _go_back(database_url)
    migrate(database_url)
    assert _differences(database_url) == []
    engine = create_engine(database_url)
    with engine.connect() as connection:
        run = connection.execute(text("select labels, profile, locks, attempt from runs where id = 7")).one()
        owners = connection.scalars(text("select owner from firings order by due_at, job_id")).all()
        key = connection.scalar(text("select webhook_key from installation"))
        job = connection.execute(text("select jitter_seconds, catch_up_limit from jobs")).one()
    engine.dispose()
    assert tuple(run) == ({"a": "b"}, "standard", [], 0)
    assert owners == ["archive-group", "archive-group", ""]
    assert len(key) == 64
    assert tuple(job) == (0, 100)


def test_a_database_of_another_schema_is_named_with_its_cure(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("drop table refusals"))
    with pytest.raises(DatabaseDown, match="another schema") as refused, database.transaction() as session:
        session.execute(text("select count(*) from refusals"))
    assert "mao db upgrade" in (refused.value.hint or "")


def test_a_statement_that_is_wrong_is_no_outage(database: Database) -> None:
    with pytest.raises(ProgrammingError), database.transaction() as session:
        session.execute(text("selekt 1"))
