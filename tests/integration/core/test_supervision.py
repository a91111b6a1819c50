"""One agent on a real database with a backend that does as the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.errors import BackendFailed, DockerDown
from app.executors.base import Leftover, Observation, Phase, RunRequest, StopMode
from app.models.run import FINAL, Run, RunStatus
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services import supervision
from app.services.agent_context import AgentContext
from app.services.dispatching import Dispatcher
from app.services.hygiene import sweep
from app.services.runs import request_stop
from app.services.terms import begin_term
from app.settings import load
from tests.integration.core.conftest import add_run

TOOL = Tool("spike", "olga", "img", "", "", "").to_dict()


@dataclass
class Thing:
    """What the scripted backend holds for one attempt."""

    request: RunRequest
    seen: Observation = field(default_factory=lambda: Observation(Phase.CREATED))
    starts: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)


class Scripted:
    """A backend in memory; ``before`` is called with the name of each call, and may raise."""

    name = "scripted"
    can_stop = can_stream = can_attach = True

    def __init__(self, before: Callable[[str], None]) -> None:
        self.things: dict[str, Thing] = {}
        self.text = b"hello\n"
        self.exit_code = 0
        self.is_slow = False
        self._before = before

    def prepare(self, request: RunRequest) -> RunRequest:
        self._before("prepare")
        return replace(request, image_id="sha256:1", image_digest="sha256:2")

    def create(self, request: RunRequest) -> str:
        self._before("create")
        self.things.setdefault(request.container_name, Thing(request))
        return request.container_name

    def start(self, handle: str) -> None:
        self._before("start")
        thing = self.things[handle]
        if thing.seen.phase is Phase.CREATED:
            thing.starts += 1
            thing.seen = Observation(Phase.RUNNING, started_at=utc_now())
            if not self.is_slow:
                self.end(handle, self.exit_code)

    def end(self, handle: str, exit_code: int) -> None:
        thing = self.things[handle]
        thing.seen = replace(thing.seen, phase=Phase.ENDED, exit_code=exit_code, ended_at=utc_now())
        thing.is_over.set()

    def status(self, handle: str) -> Observation:
        self._before("status")
        return self.things[handle].seen if handle in self.things else Observation(Phase.GONE)

    def wait(self, handle: str, timeout_seconds: float) -> Observation:
        self._before("wait")
        if handle in self.things:
            self.things[handle].is_over.wait(timeout_seconds)
        return self.status(handle)

    def output(self, handle: str, from_byte: int) -> Iterator[bytes]:
        self._before("output")
        yield self.text[from_byte:]
        if handle in self.things:
            self.things[handle].is_over.wait()

    def tail(self, handle: str, limit_bytes: int) -> bytes:
        return self.text[-limit_bytes:]

    def stop(self, handle: str, mode: StopMode, grace_seconds: int) -> None:
        self._before("stop")
        if handle in self.things and self.things[handle].seen.phase is Phase.RUNNING:
            self.end(handle, 143)

    def remove(self, handle: str) -> None:
        self._before("remove")
        self.things.pop(handle, None)

    def leftovers(self, installation: str, node: str) -> list[Leftover]:
        return [
            Leftover(handle, thing.request.run_id, thing.request.attempt, thing.seen.phase, utc_now())
            for handle, thing in self.things.items()
        ]

    def ping(self) -> str:
        return "1"

    def gap(self) -> str | None:
        return None


class WatchedDatabase(Database):
    """A database that knows whether the asking thread has a transaction open."""

    _here = threading.local()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            self._here.is_open = True
            try:
                yield session
            finally:
                self._here.is_open = False

    def is_open_here(self) -> bool:
        return getattr(self._here, "is_open", False)


class World:
    """A database, a backend, and as many terms of office as the test wants."""

    def __init__(self, database: WatchedDatabase, instance: Path) -> None:
        self.sins: list[str] = []
        self.database = database
        self.calls: list[str] = []
        self.rules: list[Callable[[str], None]] = [self._no_transaction_is_open]
        self.backend = Scripted(self._before)
        self._settings = load({"MAO_WORKING_ENVIRONMENT_NODE": "n"}, instance)
        self._terms: list[AgentContext] = []

    def begin(self) -> tuple[AgentContext, Dispatcher]:
        term = begin_term(self.database, "n")
        context = AgentContext(
            settings=self._settings,
            database=self.database,
            registry=None,  # type: ignore[arg-type]
            workdirs=None,  # type: ignore[arg-type]
            executors={"scripted": self.backend},
            installation=term.installation,
            epoch=term.epoch,
            lost=threading.Event(),
        )
        self._terms.append(context)
        return context, Dispatcher(context, None)  # type: ignore[arg-type]

    def end(self) -> None:
        for context in self._terms:
            context.lost.set()
        for thing in list(self.backend.things.values()):
            thing.is_over.set()

    def add(self, **columns: Any) -> int:
        return add_run(self.database, **{"backend": "scripted", "tool_entry": TOOL, **columns}).id

    def row(self, run_id: int) -> Run:
        with self.database.transaction() as session:
            return RunRepository(session).get(run_id)

    def until(self, run_id: int, *statuses: RunStatus, tend: Dispatcher | None = None) -> Run:
        for _ in range(200):
            row = self.row(run_id)
            if row.status in statuses:
                return row
            if tend:
                tend.tend()
            threading.Event().wait(0.05)
        raise AssertionError(f"The run stayed {row.status}, waiting for {row.waiting_for}; calls: {self.calls}")

    def stop(self, run_id: int) -> None:
        with self.database.transaction() as session:
            runs = RunRepository(session)
            request_stop(runs, runs.get(run_id), "olga")

    def _before(self, call: str) -> None:
        self.calls.append(call)
        for rule in self.rules:
            rule(call)

    def _no_transaction_is_open(self, call: str) -> None:
        if self.database.is_open_here():
            self.sins.append(call)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(WatchedDatabase(database_url, pool_size=10), tmp_path)
    yield made
    made.end()
    assert made.sins == [], "calls to the backend were made while a transaction was open"
    made.database.close()


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
