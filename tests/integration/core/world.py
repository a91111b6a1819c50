"""An agent over a real database, with a backend that does as the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.clock import utc_now
from app.errors import StorageFull
from app.executors.base import Leftover, Observation, Phase, RunRequest, StopMode, StoredImage
from app.models.run import Run, RunStatus
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.dispatching import Dispatcher
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
    can_stop = can_stream = can_attach = gives_all_output = True

    def __init__(self, before: Callable[[str], None]) -> None:
        self.things: dict[str, Thing] = {}
        self.text = b"hello\n"
        self.exit_code = 0
        self.is_slow = False
        self.is_replaced = False
        self._before = before

    def prepare(self, request: RunRequest) -> RunRequest:
        self._before("prepare")
        if not request.may_fetch:
            raise StorageFull(f"There is no room for the image '{request.image}'.")
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

    def has_forgotten(self, handle: str) -> bool:
        return self.is_replaced

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

    def storage(self) -> Path | None:
        return None

    def size(self, handle: str) -> int:
        return 0

    def images(self) -> list[StoredImage]:
        return []

    def remove_image(self, image_id: str) -> None:
        self._before("remove_image")

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
        self._instance = instance
        self.configure()
        self._terms: list[AgentContext] = []

    def configure(self, **environ: str) -> None:
        """Let the terms that begin from now on have these settings."""
        given = {"MAO_WORKING_ENVIRONMENT_NODE": "n", "MAO_LIMITS_RETRY_SECONDS": "0.05", **environ}
        self._settings = load(given, self._instance)

    def begin(self) -> tuple[AgentContext, Dispatcher]:
        term = begin_term(self.database, self._settings.node)
        context = AgentContext(
            settings=self._settings,
            database=self.database,
            registry=None,  # type: ignore[arg-type]
            workdirs=None,  # type: ignore[arg-type]
            executors={"scripted": self.backend},
            installation=term.installation,
            webhook_key=term.webhook_key,
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
