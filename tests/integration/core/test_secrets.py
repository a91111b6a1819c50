"""What a run gets of its tool's secrets, and that what is laid out of them goes with its attempt."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.executors import secret_folders
from app.models.run import RunStatus
from app.models.tool import Profile
from app.services.agent_context import AgentContext
from app.services.dispatching import Dispatcher
from app.services.requests import request_for
from app.services.secrets import sweep_secrets
from tests.integration.core.world import TOOL, World


@pytest.fixture
def office(world: World) -> Iterator[tuple[AgentContext, Dispatcher]]:
    context, dispatcher = world.begin()
    kept = context.settings.working_environment.secretsdir / "spike"
    kept.mkdir(parents=True)
    (kept / "token").write_text("hush")
    yield context, dispatcher
    shutil.rmtree(secret_folders.SHARED_MEMORY / f"mao-{context.installation}", ignore_errors=True)


def lay_out(context: AgentContext, world: World, run_id: int, attempt: int) -> None:
    row = world.row(run_id)
    row.attempt = attempt
    secret_folders.lay_out(request_for(context, row, None), "0:0")


def test_a_run_is_given_the_folder_of_its_tool_only(world: World, office: tuple[AgentContext, Dispatcher]) -> None:
    context, _ = office
    kept = context.settings.working_environment.secretsdir
    assert request_for(context, world.row(world.add()), None).secrets_dir == str(kept / "spike")
    assert request_for(context, world.row(world.add(tool="other")), None).secrets_dir is None


OWN = [
    {"command": ["cat", "/run/secrets/token"]},
    {"env": {"LD_PRELOAD": "/usr/src/app/files/mine.so"}},
    {"env": {"MODE": "other"}},
]
REGISTERED: list[dict[str, Any]] = [{}, {"command": [], "env": {}}, {"command": ["fetch"], "env": {"MODE": "fast"}}]
ENTRY = {**TOOL, "command": ["fetch"], "env": {"MODE": "fast", "LANG": "C"}}


@pytest.mark.parametrize("wishes", OWN)
def test_a_run_with_a_command_or_variables_of_its_own_gets_no_secrets_and_says_so(
    world: World, office: tuple[AgentContext, Dispatcher], wishes: dict[str, Any]
) -> None:
    context, dispatcher = office
    run_id = world.add(parameters=wishes, tool_entry=ENTRY)
    assert request_for(context, world.row(run_id), None).secrets_dir is None
    dispatcher.step()
    warnings = world.until(run_id, RunStatus.SUCCEEDED).warnings
    assert warnings == ["The run has a command or variables of its own, so it gets no secrets."]


@pytest.mark.parametrize("wishes", REGISTERED)
def test_a_run_that_does_as_registered_gets_the_secrets(
    world: World, office: tuple[AgentContext, Dispatcher], wishes: dict[str, Any]
) -> None:
    context, dispatcher = office
    run_id = world.add(parameters=wishes, tool_entry=ENTRY)
    assert request_for(context, world.row(run_id), None).secrets_dir is not None
    dispatcher.step()
    assert world.until(run_id, RunStatus.SUCCEEDED).warnings == []


def test_a_run_of_a_tool_without_secrets_may_have_a_command_of_its_own(
    world: World, office: tuple[AgentContext, Dispatcher]
) -> None:
    _, dispatcher = office
    run_id = world.add(tool="other", parameters=OWN[0])
    dispatcher.step()
    assert world.until(run_id, RunStatus.SUCCEEDED).warnings == []


def test_a_run_is_confined_as_its_row_says(world: World, office: tuple[AgentContext, Dispatcher]) -> None:
    context, _ = office
    assert request_for(context, world.row(world.add()), None).profile is Profile.STANDARD
    assert request_for(context, world.row(world.add(profile="strict")), None).profile is Profile.STRICT


def test_a_run_that_is_over_leaves_no_secrets(world: World, office: tuple[AgentContext, Dispatcher]) -> None:
    context, dispatcher = office
    run_id, seen = world.add(), []
    world.rules.append(lambda call: lay_out(context, world, run_id, 1) if call == "create" else None)
    world.rules.append(lambda call: seen.append((call, secret_folders.laid_out(context.installation))))
    dispatcher.step()
    world.until(run_id, RunStatus.SUCCEEDED)
    assert ("start", [(run_id, 1)]) in seen
    until_none_is_left(context)


def until_none_is_left(context: AgentContext) -> None:
    """The container goes just after the run is final, and its secrets with it."""
    for _ in range(200):
        if not secret_folders.laid_out(context.installation):
            return
        threading.Event().wait(0.05)
    raise AssertionError("The secrets stayed.")


def test_the_sweep_takes_what_is_over_and_nothing_else(world: World, office: tuple[AgentContext, Dispatcher]) -> None:
    context, dispatcher = office
    world.backend.is_slow = True
    live = world.add()
    dispatcher.step()
    world.until(live, RunStatus.RUNNING)
    over, waiting = world.add(), world.add()
    world.stop(over)
    claimed_and_forgotten = (waiting, 1)
    for run_id, attempt in ((live, 1), (over, 1), (999_999, 1), claimed_and_forgotten):
        if run_id == 999_999:
            folder = secret_folders.SHARED_MEMORY / f"mao-{context.installation}" / f"{run_id}-{attempt}"
            folder.mkdir()
        else:
            lay_out(context, world, run_id, attempt)
    sweep_secrets(context)
    assert sorted(secret_folders.laid_out(context.installation)) == sorted([(live, 1), claimed_and_forgotten])
