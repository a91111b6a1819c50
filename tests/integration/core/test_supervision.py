"""One agent on a real database with a backend that does as the test says."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import BackendFailed, DockerDown, NotFound, RegistryDown
from app.executors.base import Phase
from app.models.run import FINAL, RunStatus
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services import supervision
from app.services.dispatching import Dispatcher
from app.services.hygiene import sweep
from tests.integration.core.world import TOOL, World


def test_a_run_goes_from_waiting_to_its_end_and_leaves_nothing_behind(world: World) -> None:
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(run_id, *FINAL)
    assert (run.status, run.cause, run.exit_code, run.attempt) == ("SUCCEEDED", "ok", 0, 1)
    assert (run.image_digest, run.node) == ("sha256:2", "n")
    with world.database.transaction() as session:
        assert OutputRepository(session).read(run_id, 0, 100) == (0, b"hello\n")
        assert [event.to_status for event in RunRepository(session).events(run_id)] == [
            "WAITING_LOCKS",
            "PENDING_SUBMIT",
            "SUBMITTED",
            "RUNNING",
            "SUCCEEDED",
        ]
    for _ in range(100):
        if not world.backend.things:
            break
        threading.Event().wait(0.05)
    assert world.backend.things == {}


def test_the_record_is_final_before_the_container_is_removed(world: World) -> None:
    run_id = world.add()
    seen: list[str] = []
    world.rules.append(lambda call: seen.append(world.row(run_id).status) if call == "remove" else None)
    world.rules.remove(world._no_transaction_is_open)
    _, dispatcher = world.begin()
    dispatcher.step()
    world.until(run_id, *FINAL)
    for _ in range(100):
        if seen:
            break
        threading.Event().wait(0.05)
    assert seen == ["SUCCEEDED"]


def test_a_tool_that_fails_is_reported_with_its_last_lines(world: World) -> None:
    world.backend.exit_code = 3
    world.backend.text = b"one\ntwo\n"
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(run_id, *FINAL)
    assert (run.status, run.cause, run.exit_code) == ("FAILED", "tool_error", 3)
    assert run.report is not None
    assert run.report["lastLines"] == ["one", "two"]


def test_a_refusal_of_the_backend_ends_the_run_with_its_cause(world: World) -> None:
    def refuse(call: str) -> None:
        if call == "prepare":
            raise BackendFailed("There is no image 'img'.", cause="image_missing")

    world.rules.append(refuse)
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(run_id, *FINAL)
    assert (run.status, run.cause, run.message) == ("FAILED", "image_missing", "There is no image 'img'.")


def test_while_the_engine_is_down_the_run_waits_and_says_so(world: World) -> None:
    is_down = threading.Event()
    is_down.set()

    def down(_: str) -> None:
        if is_down.is_set():
            raise DockerDown("The engine does not answer.")

    world.rules.append(down)
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    for _ in range(100):
        if (reason := world.row(run_id).waiting_for) and reason.startswith("backend"):
            break
        threading.Event().wait(0.05)
    assert reason == "backend: The engine does not answer."
    is_down.clear()
    assert world.until(run_id, *FINAL).status == "SUCCEEDED"
    assert world.row(run_id).waiting_for is None


def test_a_stop_ends_a_running_tool_and_names_who_asked(world: World) -> None:
    world.backend.is_slow = True
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    world.stop(run_id)
    dispatcher.told(f"{run_id}:ABORTING")
    run = world.until(run_id, *FINAL, tend=dispatcher)
    assert (run.status, run.cause, run.message) == ("ABORTED", "cancelled", "Stopped by olga.")


def test_a_stop_before_the_start_never_starts_the_tool(world: World) -> None:
    run_id = world.add()
    world.rules.append(lambda call: world.stop(run_id) if call == "create" else None)
    world.rules.remove(world._no_transaction_is_open)
    context, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(run_id, *FINAL, tend=dispatcher)
    assert (run.status, run.message) == ("ABORTED", "Stopped by olga before it began.")
    assert "start" not in world.calls
    assert sweep(context, supervised=()) == 1
    assert world.backend.things == {}


def test_a_tool_that_ended_before_the_stop_came_keeps_its_outcome(world: World) -> None:
    world.backend.is_slow = True
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    thing = world.backend.things[f"mao-n-{run_id}-1"]
    thing.seen = replace(thing.seen, phase=Phase.ENDED, exit_code=0, ended_at=datetime.now(UTC) - timedelta(seconds=5))
    world.stop(run_id)
    thing.is_over.set()
    run = world.until(run_id, *FINAL, tend=dispatcher)
    assert (run.status, run.cause) == ("SUCCEEDED", "ok")


def test_a_tool_over_its_time_is_stopped(world: World) -> None:
    world.backend.is_slow = True
    run_id = world.add(parameters={"timeout_seconds": 1})
    _, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(run_id, *FINAL, tend=dispatcher)
    assert (run.status, run.cause) == ("FAILED", "timeout")


def test_a_container_removed_by_hand_leaves_the_run_in_doubt(world: World) -> None:
    world.backend.is_slow = True
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    world.backend.things.pop(f"mao-n-{run_id}-1").is_over.set()
    run = world.until(run_id, *FINAL)
    assert (run.status, run.cause) == ("IN_DOUBT", "lost")


@pytest.mark.parametrize("point", ["prepare", "create", "start", "output", "status", "remove"])
def test_after_a_crash_at_any_call_the_next_agent_finishes_and_starts_nothing_twice(world: World, point: str) -> None:
    """The first agent freezes in the call and never returns to it before the second has finished."""
    frozen, thaw = threading.Event(), threading.Event()

    def freeze(call: str) -> None:
        if call == point and not frozen.is_set():
            frozen.set()
            thaw.wait()

    world.rules.remove(world._no_transaction_is_open)
    world.rules.append(freeze)
    starts: list[str] = []
    world.rules.append(lambda call: starts.append(call) if call == "start" else None)
    run_id = world.add()
    _, first = world.begin()
    first.step()
    assert frozen.wait(10)
    context, second = world.begin()
    second.take_over()
    run = world.until(run_id, *FINAL)
    assert run.status == "SUCCEEDED"
    thaw.set()
    for one in list(first._supervisions.values()):
        one.thread.join(10)
        assert not one.thread.is_alive()
    assert world.row(run_id).status == "SUCCEEDED"
    assert run.attempt == 1
    sweep(context, supervised=())
    assert world.backend.things == {}


def test_a_frozen_agent_that_wakes_after_the_end_starts_nothing(world: World) -> None:
    """The worst moment: frozen after the old agent looked at the row and before it makes the container."""
    frozen, thaw = threading.Event(), threading.Event()

    def freeze(call: str) -> None:
        if call == "create" and not frozen.is_set():
            frozen.set()
            thaw.wait()

    world.rules.remove(world._no_transaction_is_open)
    world.rules.append(freeze)
    run_id = world.add()
    _, first = world.begin()
    first.step()
    assert frozen.wait(10)
    context, second = world.begin()
    second.take_over()
    world.until(run_id, *FINAL)
    sweep(context, supervised=())
    thaw.set()
    for one in list(first._supervisions.values()):
        one.thread.join(10)
    assert all(thing.starts == 0 for thing in world.backend.things.values())
    assert world.calls.count("start") == 1
    sweep(context, supervised=())
    assert world.backend.things == {}


def test_a_run_that_a_defect_keeps_from_ending_is_in_doubt_and_not_running_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(supervision, "settle", broken)
    monkeypatch.setattr(supervision, "_RETRY_SECONDS", 0.05)
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(run_id, *FINAL)
    assert (run.status, run.cause) == ("IN_DOUBT", "backend_error")
    assert run.message is not None
    assert "log" in run.message


def test_a_second_stop_with_force_does_not_wait_for_the_first(world: World) -> None:
    world.backend.is_slow = True
    hanging = threading.Event()

    def hang(call: str) -> None:
        if call == "stop" and world.calls.count("stop") == 1:
            hanging.wait(30)

    world.rules.append(hang)
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    world.stop(run_id)
    dispatcher.told(f"{run_id}:ABORTING")
    dispatcher.told(f"{run_id}:ABORTING")
    run = world.until(run_id, *FINAL, tend=dispatcher)
    assert run.status == "ABORTED"
    hanging.set()


class Planner:
    """Knows one tool; one entry is broken, and the registry may be down."""

    def __init__(self) -> None:
        self.is_down = False

    def plan(self, tool_name: str, labels: dict[str, str], locks: list[str]) -> dict[str, object]:
        if self.is_down:
            raise RegistryDown("etcd does not answer.")
        if tool_name == "broken":
            raise TypeError("a value that nobody thought of")
        if tool_name == "gone":
            raise NotFound("There is no tool 'gone'.")
        return {"tool_entry": TOOL, "backend": "scripted"}


def test_an_entry_that_cannot_be_used_ends_its_run_and_holds_up_no_other(world: World) -> None:
    context, _ = world.begin()
    dispatcher = Dispatcher(context, Planner())  # type: ignore[arg-type]
    broken, gone, sound = (world.add(tool=tool, tool_entry=None) for tool in ("broken", "gone", "spike"))
    assert dispatcher.step()
    dispatcher.plan()
    assert not dispatcher.step()
    assert (world.row(broken).status, world.row(broken).cause) == ("FAILED", "backend_error")
    assert world.row(gone).message == "There is no tool 'gone'."
    assert world.until(sound, *FINAL).status == "SUCCEEDED"


def test_while_the_registry_is_down_a_run_of_a_job_waits(world: World) -> None:
    context, _ = world.begin()
    planner = Planner()
    planner.is_down = True
    dispatcher = Dispatcher(context, planner)  # type: ignore[arg-type]
    run_id = world.add(tool_entry=None)
    with pytest.raises(RegistryDown):
        dispatcher.plan()
    dispatcher.tend()
    assert world.row(run_id).status == "WAITING_LOCKS"
    assert (world.row(run_id).waiting_for or "").startswith("registry")
    planner.is_down = False
    dispatcher.plan()
    dispatcher.step()
    assert world.until(run_id, *FINAL).status == "SUCCEEDED"
