"""A node whose tool collects into a repository, over a real database and real git; its agent can be killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.clock import utc_now
from app.models.run import FINAL, Run
from app.models.tool import Tool
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.repositories.workdirs import Workdirs
from app.services.agent_context import AgentContext
from app.services.dispatching import Dispatcher
from app.settings import Git
from tests.integration.core.world import Scripted, World
from tests.integration.git_server import Origin, git


class Killed(BaseException):
    """Stands for an agent that is killed: nothing goes on after it in its thread."""


class Collecting(Scripted):
    """A backend whose tools write one control file, with the value that the test wants, and one of their own."""

    value = 900
    has_control = True

    def start(self, handle: str) -> None:
        request = self.things[handle].request
        folder = Path(request.data_dir or "")
        if self.has_control:
            (folder / f"control-{1000 + request.run_id}.csv").write_text(f"{self.value}\n")
        (folder / f"data-{request.run_id}.csv").write_text("ours\n")
        super().start(handle)


class Site:
    """A node with one tool, the repository that it publishes to, and the repository's own people."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.backend = Collecting(world._before)
        world.backend = self.backend
        self.origin = Origin(folder / "remote.git")
        self.origin.push({f"control-000{day}.csv": "900\n" for day in range(1, 4)}, "before")
        self.workdirs = Workdirs(Git(allow_local=True, timeout_seconds=60), folder / "data")
        self.tree = self.workdirs.path("spike")
        self.kv = MemoryKv()
        self.context, self.dispatcher = self._begin()

    def _begin(self) -> tuple[AgentContext, Dispatcher]:
        context, _ = self.world.begin()
        context = replace(context, workdirs=self.workdirs, registry=Registry(self.kv))
        return context, Dispatcher(context, None)  # type: ignore[arg-type]

    def add(self, **entry: Any) -> int:
        url = str(self.origin.bare)
        needed = {"name": "spike", "author": "olga", "image": "img", "data_repo": url, "code_repo": "", "artefact": ""}
        tool = Tool(**{**needed, "publish": "push", **entry})
        return self.world.add(tool=tool.name, tool_entry=tool.to_dict(), clone="spike", data_url=url)

    def run(self, **entry: Any) -> Run:
        """Let the tool collect once."""
        run_id = self.add(**entry)
        self.dispatcher.step()
        return self.world.until(run_id, *FINAL)

    def run_through_a_kill(self, **entry: Any) -> Run:
        """Let the tool collect once under an agent that is killed, and let the next agent finish the run."""
        run_id = self.add(**entry)
        self.dispatcher.step()
        for supervision in self.dispatcher._supervisions.values():
            supervision.thread.join(30)
        assert self.row(run_id).ended_at is None, "nothing was killed"
        self.succeed()
        self.dispatcher.take_over()
        return self.world.until(run_id, *FINAL)

    def succeed(self, *, is_old_told: bool = True) -> None:
        """Let the next agent begin its term; it has not looked at the runs under way yet."""
        if is_old_told:
            self.context.lost.set()
        self.context, self.dispatcher = self._begin()

    def row(self, run_id: int) -> Run:
        return self.world.row(run_id)

    def let_pauses_end(self) -> None:
        """Let whatever is to be pushed later be due now."""
        with self.world.database.transaction() as session:
            session.execute(update(Run).where(Run.push_due_at.is_not(None)).values(push_due_at=utc_now()))

    def runs_at(self, branch: str) -> list[int]:
        """Give the runs whose commits the remote has on a branch, oldest first."""
        form = "--format=%(trailers:key=Mao-Run,valueonly,separator=)"
        return [int(number) for number in git("log", "--reverse", form, branch, cwd=self.origin.bare).split()]

    def files_at(self, branch: str) -> set[str]:
        return set(git("ls-tree", "-r", "--name-only", branch, cwd=self.origin.bare).split())


def kill_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, is_after: bool) -> None:
    """Kill the agent the first time that it comes to a function, before it or right after it."""
    function: Callable[..., Any] = getattr(owner, name)
    calls = []

    def deadly(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        if len(calls) > 1:
            return function(*arguments, **options)
        if is_after:
            function(*arguments, **options)
        raise Killed

    monkeypatch.setattr(owner, name, deadly)
