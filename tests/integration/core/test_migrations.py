"""The migrations make exactly the tables that the models describe, and may be run again."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from app.models.base import Base
from app.repositories.database import migrate


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
