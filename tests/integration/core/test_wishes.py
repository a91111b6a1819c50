"""What a run was submitted with reaches its backend and its locks, by whichever way the run was made."""

from __future__ import annotations

from app.models.run import RunStatus
from app.models.tool import Tool
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.services.dispatching import Dispatcher
from app.services.plans import Planner
from app.services.webhooks import webhook_id
from tests.integration.core.world import TOOL, World

PARAMETERS = {
    "command": ["crawl", "--run=%%RUNID%%", '{"run": "%%RUNID%%"}'],
    "env": {"WHO": "%%SUBMITTER%%", "HOOK": "%%WEBHOOKID%%"},
}


def test_runtime_variables_are_filled_in_for_the_backend_and_stored_as_words(world: World) -> None:
    context, dispatcher = world.begin()
    entry = {**TOOL, "env": {"OURS": "run-%%RUNID%%"}}
    run_id = world.add(parameters=PARAMETERS, has_runtime_variables=True, tool_entry=entry)
    world.backend.is_slow = True
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    (thing,) = world.backend.things.values()
    assert thing.request.command == ("crawl", f"--run={run_id}", '{"run": "%%RUNID%%"}')
    expected = {"WHO": "olga", "HOOK": webhook_id(run_id, context.webhook_key), "OURS": f"run-{run_id}"}
    assert expected.items() <= thing.request.env.items()
    assert world.row(run_id).parameters == PARAMETERS


def test_without_the_wish_the_words_are_given_as_they_are(world: World) -> None:
    _, dispatcher = world.begin()
    run_id = world.add(parameters=PARAMETERS)
    world.backend.is_slow = True
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    (thing,) = world.backend.things.values()
    assert thing.request.command == tuple(PARAMETERS["command"])
    assert thing.request.env["WHO"] == "%%SUBMITTER%%"


def test_a_run_that_is_planned_by_the_agent_keeps_locks_of_its_own(world: World) -> None:
    context, _ = world.begin()
    registry = Registry(MemoryKv())
    registry.add_tool(Tool("spike", "olga", "img", "", "", "", locks=("site", "door")))
    run_id = world.add(tool_entry=None, locks=["vault", "site"], labels={"x": "y"})
    Dispatcher(context, Planner(registry, ["docker"])).plan()
    run = world.row(run_id)
    assert (run.locks, run.labels) == (["door", "site", "vault"], {"x": "y"})
