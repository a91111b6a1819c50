"""What is not known is not done: terms that are over, stops that are refused, starts whose answer was lost."""

from __future__ import annotations

import threading

import pytest

from app.errors import BackendFailed, DockerDown, Superseded
from app.models.run import FINAL, RunStatus
from tests.integration.core.world import World


def test_an_agent_whose_term_is_over_claims_nothing(world: World) -> None:
    _, former = world.begin()
    _, leading = world.begin()
    run_id = world.add()
    with pytest.raises(Superseded):
        former.step()
    assert world.row(run_id).status == RunStatus.WAITING_LOCKS
    leading.step()
    assert world.until(run_id, RunStatus.SUCCEEDED).attempt == 1


def test_a_live_run_that_belongs_to_no_living_term_is_adopted(world: World) -> None:
    world.backend.is_slow = True
    _, dispatcher = world.begin()
    run_id = world.add()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    _, leading = world.begin()
    leading.tend()
    (handle,) = world.backend.things
    world.backend.end(handle, 0)
    assert world.until(run_id, RunStatus.SUCCEEDED).attempt == 1


def test_who_asks_for_a_stop_again_and_again_makes_no_more_than_two_at_once(world: World) -> None:
    world.backend.is_slow = True
    _, dispatcher = world.begin()
    run_id = world.add()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    going_on = threading.Event()

    def linger(name: str) -> None:
        if name == "stop":
            going_on.wait(10)

    world.rules.append(linger)
    world.stop(run_id)
    for _ in range(50):
        dispatcher.told(f"{run_id}:{RunStatus.ABORTING}")
    assert sum(thread.name == f"stop-{run_id}" for thread in threading.enumerate()) <= 2
    going_on.set()
    assert world.until(run_id, RunStatus.ABORTED, tend=dispatcher).cause == "cancelled"


def test_a_stop_that_the_backend_refused_is_tried_again(world: World) -> None:
    world.backend.is_slow = True
    _, dispatcher = world.begin()
    run_id = world.add()
    dispatcher.step()
    world.until(run_id, RunStatus.RUNNING)
    refusals = iter([BackendFailed("The engine refuses.")])

    def refuse_once(name: str) -> None:
        if name == "stop" and (refusal := next(refusals, None)):
            raise refusal

    world.rules.append(refuse_once)
    world.stop(run_id)
    dispatcher.told(f"{run_id}:{RunStatus.ABORTING}")
    assert world.until(run_id, RunStatus.ABORTED, tend=dispatcher).cause == "cancelled"
    assert world.calls.count("stop") >= 2


def test_a_start_that_was_lost_with_the_engine_is_not_sent_again(world: World) -> None:
    answers = iter([DockerDown("The engine was killed.")])

    def lose_the_answer(name: str) -> None:
        if name == "start" and (lost := next(answers, None)):
            world.backend.is_replaced = True
            raise lost

    world.rules.append(lose_the_answer)
    run_id = world.add(parameters={"infrastructure_retries": 3, "tool_retries": 3})
    _, dispatcher = world.begin()
    dispatcher.step()
    row = world.until(run_id, *FINAL)
    assert (row.status, row.cause, row.attempt) == (RunStatus.IN_DOUBT, "lost", 1)
    assert world.calls.count("start") == 1


def test_a_start_that_was_lost_on_the_way_is_sent_again_to_the_same_engine(world: World) -> None:
    answers = iter([DockerDown("The connection was cut.")])

    def lose_the_answer(name: str) -> None:
        if name == "start" and (lost := next(answers, None)):
            raise lost

    world.rules.append(lose_the_answer)
    run_id = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    assert world.until(run_id, *FINAL).status == RunStatus.SUCCEEDED
    assert world.calls.count("start") == 2


def _run_whose_agent_and_engine_died_in_its_start(world: World) -> int:
    first, dispatcher = world.begin()

    def vanish(name: str) -> None:
        if name == "start" and not first.lost.is_set():
            first.lost.set()
            raise DockerDown("This agent is dead.")

    world.rules.append(vanish)
    run_id = world.add()
    dispatcher.step()
    assert first.lost.wait(10)
    world.backend.is_replaced = True
    return run_id


def test_a_new_agent_starts_nothing_that_a_replaced_engine_knows_nothing_of(world: World) -> None:
    run_id = _run_whose_agent_and_engine_died_in_its_start(world)
    _, successor = world.begin()
    successor.take_over()
    assert world.until(run_id, *FINAL).status == RunStatus.IN_DOUBT
    assert world.calls.count("start") == 1


def test_a_stop_after_a_start_that_was_lost_with_the_engine_leaves_the_run_in_doubt(world: World) -> None:
    run_id = _run_whose_agent_and_engine_died_in_its_start(world)
    world.stop(run_id)
    _, successor = world.begin()
    successor.take_over()
    row = world.until(run_id, *FINAL)
    assert (row.status, row.cause) == (RunStatus.IN_DOUBT, "lost")
