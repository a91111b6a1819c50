"""A run has another attempt only where the one before is proven over, and the record keeps every one of them."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from app.errors import BackendFailed, DockerDown
from app.executors.base import Phase
from app.models.attempt import RunAttempt
from app.models.run import Cause, RunStatus
from app.repositories.attempts import AttemptRepository
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services.dispatching import Dispatcher
from app.services.hygiene import sweep
from tests.integration.core.world import World

FINAL = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.ABORTED, RunStatus.IN_DOUBT)


def _attempts(world: World, run_id: int) -> list[RunAttempt]:
    with world.database.transaction() as session:
        return list(AttemptRepository(session).list(run_id))


def _output(world: World, run_id: int) -> bytes:
    with world.database.transaction() as session:
        return OutputRepository(session).read(run_id, 0, 10_000)[1]


def _until_over(world: World, dispatcher: Dispatcher, run_id: int) -> RunStatus:
    for _ in range(400):
        dispatcher.step()
        row = world.row(run_id)
        if row.status in FINAL:
            return RunStatus(row.status)
        threading.Event().wait(0.02)
    raise AssertionError(f"The run stayed {row.status}, waiting for {row.waiting_for}; calls: {world.calls}")


def _fail_the_first(world: World, call: str, times: int, error: Exception) -> None:
    left = [times]

    def rule(name: str) -> None:
        if name == call and left[0]:
            left[0] -= 1
            raise error

    world.rules.append(rule)


def test_a_tool_that_fails_is_tried_as_often_as_was_asked_and_no_more(world: World) -> None:
    world.backend.exit_code = 3
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"tool_retries": 2})

    assert _until_over(world, dispatcher, run_id) is RunStatus.FAILED
    row = world.row(run_id)
    assert (row.attempt, row.tool_failures, row.infrastructure_failures) == (3, 2, 0)
    assert [(a.number, a.cause, a.exit_code, a.first_byte) for a in _attempts(world, run_id)] == [
        (1, Cause.TOOL_ERROR, 3, 0),
        (2, Cause.TOOL_ERROR, 3, 6),
    ]
    assert row.output_base == 12
    assert _output(world, run_id) == b"hello\n" * 3
    assert world.calls.count("start") == 3


def test_failures_of_the_infrastructure_are_counted_apart(world: World) -> None:
    _fail_the_first(world, "prepare", 2, BackendFailed("No such image.", cause=Cause.IMAGE_MISSING))
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"infrastructure_retries": 2, "tool_retries": 5})

    assert _until_over(world, dispatcher, run_id) is RunStatus.SUCCEEDED
    row = world.row(run_id)
    assert (row.attempt, row.tool_failures, row.infrastructure_failures) == (3, 0, 2)
    assert [a.cause for a in _attempts(world, run_id)] == [Cause.IMAGE_MISSING, Cause.IMAGE_MISSING]
    assert (row.cause, row.waiting_for, row.not_before) == (Cause.OK, None, None)


def test_without_being_asked_there_is_one_attempt(world: World) -> None:
    world.backend.exit_code = 3
    _, dispatcher = world.begin()
    run_id = world.add()
    assert _until_over(world, dispatcher, run_id) is RunStatus.FAILED
    assert (world.row(run_id).attempt, _attempts(world, run_id)) == (1, [])


def test_an_attempt_that_vanished_is_not_proven_over_and_not_repeated(world: World) -> None:
    world.backend.is_slow = True
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"infrastructure_retries": 5, "tool_retries": 5})
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    (thing,) = world.backend.things.values()
    world.backend.things.clear()
    thing.is_over.set()
    assert world.until(run_id, *FINAL).status == RunStatus.IN_DOUBT
    assert _attempts(world, run_id) == []


def test_an_attempt_that_ended_with_an_unclear_status_is_repeated_where_that_was_asked(world: World) -> None:
    world.backend.is_slow = True
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"infrastructure_retries": 1})
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    (handle,) = world.backend.things
    _fail_the_first(world, "status", 1, DockerDown("The engine is away."))
    world.backend.end(handle, 137)
    world.backend.is_slow = False

    assert _until_over(world, dispatcher, run_id) is RunStatus.SUCCEEDED
    assert [(a.cause, a.exit_code) for a in _attempts(world, run_id)] == [(Cause.LOST, 137)]


def test_a_start_that_is_refused_is_made_impossible_before_another_attempt(world: World) -> None:
    _fail_the_first(world, "start", 1, BackendFailed("The engine refuses."))
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"infrastructure_retries": 1})

    assert _until_over(world, dispatcher, run_id) is RunStatus.SUCCEEDED
    assert world.calls.index("remove") < world.calls.index("create", world.calls.index("start"))


def test_a_start_that_is_refused_after_all_ran_is_not_repeated(world: World) -> None:
    def rule(name: str) -> None:
        if name == "start":
            (thing,) = world.backend.things.values()
            thing.seen = replace(thing.seen, phase=Phase.RUNNING)
            raise BackendFailed("The answer was lost.")

    world.rules.append(rule)
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"infrastructure_retries": 5})
    assert _until_over(world, dispatcher, run_id) is RunStatus.FAILED
    assert (world.row(run_id).attempt, world.calls.count("start")) == (1, 1)


def test_a_stopped_run_has_no_other_attempt(world: World) -> None:
    world.backend.is_slow = True
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"infrastructure_retries": 5, "tool_retries": 5})
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    world.stop(run_id)
    dispatcher.told(f"{run_id}:{RunStatus.ABORTING}")
    assert world.until(run_id, *FINAL, tend=dispatcher).status == RunStatus.ABORTED


def test_a_waiting_attempt_says_when_it_begins_and_can_be_stopped(world: World) -> None:
    world.backend.exit_code = 3
    world.configure(MAO_LIMITS_RETRY_SECONDS="1000")
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"tool_retries": 1})
    dispatcher.step()
    row = world.until(run_id, RunStatus.WAITING_LOCKS, tend=dispatcher)
    assert row.waiting_for is not None
    assert row.waiting_for.startswith("schedule: begins at ")
    assert row.waiting_for.endswith(", because attempt 1 failed")
    dispatcher.step()
    dispatcher.tend()
    assert world.row(run_id).waiting_for == row.waiting_for

    world.stop(run_id)
    assert world.row(run_id).status == RunStatus.ABORTED


@pytest.mark.parametrize("call", ["create", "start", "output", "status", "remove"])
def test_an_agent_killed_between_attempts_leaves_the_next_one_to_its_successor(world: World, call: str) -> None:
    """The first agent vanishes at a call; the second one finishes, and no attempt is started twice."""
    world.backend.exit_code = 3
    first, dispatcher = world.begin()
    vanished = threading.Event()

    def rule(name: str) -> None:
        if name == call and not vanished.is_set() and not first.lost.is_set():
            first.lost.set()
            vanished.set()
            raise DockerDown("This agent is dead.")

    world.rules.append(rule)
    run_id = world.add(parameters={"tool_retries": 1})
    dispatcher.step()
    assert vanished.wait(10)
    _, successor = world.begin()
    successor.take_over()
    assert _until_over(world, successor, run_id) is RunStatus.FAILED
    row = world.row(run_id)
    assert (row.attempt, row.tool_failures) == (2, 1)
    assert _output(world, run_id) == b"hello\n" * 2
    assert world.calls.count("start") == (3 if call == "start" else 2)


def test_the_container_of_an_ended_attempt_is_swept_while_the_run_waits(world: World) -> None:
    world.backend.exit_code = 3
    world.configure(MAO_LIMITS_RETRY_SECONDS="1000")
    context, dispatcher = world.begin()
    _fail_the_first(world, "remove", 1, DockerDown("The engine is away."))
    run_id = world.add(parameters={"tool_retries": 1})
    dispatcher.step()
    world.until(run_id, RunStatus.WAITING_LOCKS, tend=dispatcher)
    _until_unsupervised(dispatcher)
    assert sweep(context, dispatcher.supervised) == 1
    assert world.backend.things == {}


def test_the_log_tells_why_each_attempt_ended(world: World) -> None:
    world.backend.exit_code = 3
    _, dispatcher = world.begin()
    run_id = world.add(parameters={"tool_retries": 1})
    _until_over(world, dispatcher, run_id)
    with world.database.transaction() as session:
        events = RunRepository(session).events(run_id)
    back = [(event.from_status, event.cause) for event in events if event.to_status == RunStatus.WAITING_LOCKS]
    assert back == [(None, None), (RunStatus.RUNNING, Cause.TOOL_ERROR)]


def _until_unsupervised(dispatcher: Dispatcher) -> None:
    for _ in range(200):
        dispatcher.step()
        if not dispatcher.supervised:
            return
        threading.Event().wait(0.02)
    raise AssertionError("The supervision goes on.")
