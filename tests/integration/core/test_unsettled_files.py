"""Files of a run that is not good never become part of the next one's commit, even where setting them aside failed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed
from app.models.run import FINAL
from app.models.tool import Tool
from app.repositories.workdirs import Workdirs
from app.services import finishing, supervision
from app.services.agent_context import AgentContext
from app.services.dispatching import Dispatcher
from app.settings import Git
from tests.integration.core.world import Scripted, WatchedDatabase, World


class Writing(Scripted):
    """A backend whose tools write one file, named after their run."""

    def start(self, handle: str) -> None:
        request = self.things[handle].request
        Path(request.data_dir or "", f"run-{request.run_id}.csv").write_text("1\n")
        super().start(handle)


@pytest.fixture
def remote(tmp_path: Path) -> str:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "remote.git")], check=True)
    return f"file://{tmp_path / 'remote.git'}"


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Any:
    made = World(WatchedDatabase(database_url, pool_size=10), tmp_path / "instance")
    made.backend = Writing(made._before)
    yield made
    made.end()
    made.database.close()


@pytest.fixture
def workdirs(tmp_path: Path) -> Workdirs:
    return Workdirs(Git(allow_local=True), tmp_path / "data")


def _begin(world: World, workdirs: Workdirs) -> tuple[AgentContext, Dispatcher]:
    context, _ = world.begin()
    context = replace(context, workdirs=workdirs)
    return context, Dispatcher(context, None)  # type: ignore[arg-type]


def _add(world: World, remote: str) -> int:
    entry = Tool("spike", "olga", "img", remote, "", "").to_dict()
    return world.add(tool_entry=entry, clone="spike", data_url=remote)


def _files(workdirs: Workdirs, revision: str) -> list[str]:
    command = ["git", "-c", "safe.directory=*", "ls-tree", "--name-only", revision]
    done = subprocess.run(command, cwd=workdirs.path("spike"), check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_what_could_not_be_set_aside_is_set_aside_before_the_next_run(
    world: World, workdirs: Workdirs, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine = workdirs.quarantine

    def full_disk(*_: object) -> None:
        raise BackendFailed("The disk is full.", cause="data_unavailable")

    monkeypatch.setattr(workdirs, "quarantine", full_disk)
    world.backend.exit_code = 3
    bad = _add(world, remote)
    _, dispatcher = _begin(world, workdirs)
    dispatcher.step()
    assert world.until(bad, *FINAL).is_unsettled
    assert (workdirs.path("spike") / f"run-{bad}.csv").exists()

    monkeypatch.setattr(workdirs, "quarantine", quarantine)
    world.backend.exit_code = 0
    good = _add(world, remote)
    dispatcher.step()
    run = world.until(good, *FINAL)
    assert (run.status, world.row(bad).is_unsettled) == ("SUCCEEDED", False)
    assert _files(workdirs, run.output_commit or "") == [f"run-{good}.csv"]
    assert _files(workdirs, f"quarantine/{bad}") == [f"run-{bad}.csv"]


def test_a_run_that_is_given_up_leaves_no_file_for_the_next(
    world: World, workdirs: Workdirs, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(finishing, "judge_run", broken)
    monkeypatch.setattr(supervision, "_RETRY_SECONDS", 0.05)
    bad = _add(world, remote)
    _, dispatcher = _begin(world, workdirs)
    dispatcher.step()
    assert world.until(bad, *FINAL).status == "IN_DOUBT"
    assert not (workdirs.path("spike") / f"run-{bad}.csv").exists()
    assert _files(workdirs, f"quarantine/{bad}") == [f"run-{bad}.csv"]
