"""What the agent sees of its backends reaches the one who asks for the product's health."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.repositories.agents import AgentRepository
from app.services.health import judge_agent
from app.services.terms import Life
from tests.integration.core.world import WatchedDatabase, World


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(WatchedDatabase(database_url, pool_size=10), tmp_path)
    made.backend.name = "docker"
    yield made
    made.end()
    made.database.close()


def test_what_a_backend_leaves_open_is_told_with_its_version(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.backend, "gap", lambda: "tools can reach the host's ports")
    context, _ = world.begin()
    context.executors["docker"] = world.backend  # type: ignore[index]
    life = Life(context)
    life.close_gaps()
    life.show({})
    with world.database.transaction() as session:
        row = AgentRepository(session).find_latest()
    assert judge_agent(row)["docker"] == (True, "1; tools can reach the host's ports")
