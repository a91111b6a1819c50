"""Two publishers of one remote, and what may happen to them between any two steps of git."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from app.errors import RemoteDown
from app.repositories.clone_publishing import Published, Target
from app.repositories.clone_repository import Repository
from app.repositories.git_command import GitOutput
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import SETTINGS
from tests.integration.git_server import Origin, git

DAY = "2026-03-01"


class Killed(BaseException):
    """Stands for a process that is killed: nothing of ours runs after it but what gives back locks."""


class Steps:
    """Counts the steps of git and lets something happen before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left = -1
        self._event: Callable[[], None] = lambda: None
        run = Repository.outside

        def counted(repository: Repository, *arguments: str, **conditions: object) -> GitOutput:
            self._left -= 1
            if self._left == 0:
                self._event()
            return run(repository, *arguments, **conditions)

        monkeypatch.setattr(Repository, "outside", counted)

    @contextmanager
    def before(self, number: int, event: Callable[[], None]) -> Iterator[None]:
        self._left, self._event = number, event
        try:
            yield
        finally:
            self._left = -1


class Publisher:
    """A node with a clone, and what its records say: for each of its runs the commit and where it is."""

    def __init__(self, name: str, folder: Path, origin: Origin) -> None:
        self.name = name
        self.workdirs = Workdirs(SETTINGS, folder)
        self.url = str(origin.bare)
        self.commits: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self._last_run = 0
        self.workdirs.clone("data", self.url)
        self.tree = self.workdirs.path("data")

    def target(self) -> Target:
        waiting = [self.commits[run_id] for run_id, state in self.states.items() if state == "pending"]
        return Target(self.url, "main", f"conflict/{self.name}/{self._last_run}", DAY, waiting)

    def collect(self, files: dict[str, str]) -> int:
        """Do what a run does: refresh, write, commit."""
        self.workdirs.refresh("data", self.url)
        before = self.workdirs.head("data")
        self._last_run += 1
        for name, content in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(content)
        trailers = {"Mao-Node": self.name}
        commit = self.workdirs.commit("data", f"sync {DAY}", trailers, self._last_run, before)
        assert commit is not None
        self.commits[self._last_run], self.states[self._last_run] = commit, "pending"
        return self._last_run

    def publish(self) -> Published:
        """Publish, and note in the records what became of each commit, before the clone is told so."""
        published = self.workdirs.publish("data", self.target())
        for run_id, commit in list(self.commits.items()):
            if commit in published.landed:
                self.commits[run_id], self.states[run_id] = published.landed[commit], "pushed"
            elif commit in published.aside:
                self.commits[run_id], self.states[run_id] = published.aside[commit][0], "conflict"
        self.workdirs.mark_published("data", published)
        return published


class Scheduler:
    """Lets two publishers collect and publish in an order, and with accidents, that a seed decides."""

    def __init__(self, seed: int, publishers: list[Publisher], steps: Steps) -> None:
        self._random = Random(seed)
        self._publishers = publishers
        self._steps = steps
        self.accidents = 0

    def interleave(self) -> None:
        """Let one publish, and before a step of it let it be killed, or the other one collect and publish."""
        one, other = self._random.sample(self._publishers, 2)
        self._collect(one)

        def meanwhile() -> None:
            self.accidents += 1
            if self._random.random() < 0.5:
                raise Killed
            self._collect(other)
            self._publish(other)

        with self._steps.before(self._random.randint(1, 45), meanwhile):
            self._publish(one)

    def _collect(self, publisher: Publisher) -> None:
        files = {f"{publisher.name}-{self._random.randrange(10**9)}.csv": f"{self._random.random()}\n"}
        if self._random.random() < 0.2:
            files["shared.csv"] = f"{publisher.name} {self._random.random()}\n"
        publisher.collect(files)

    def _publish(self, publisher: Publisher) -> None:
        try:
            publisher.publish()
        except (Killed, RemoteDown):
            return


def pairs_at(origin: Origin) -> list[tuple[str, int, str]]:
    """Every commit of a run that the remote has on its branch or a conflict branch, as node, run and commit."""
    refs = git("for-each-ref", "--format=%(refname)", "refs/heads", cwd=origin.bare).split()
    form = "--format=%H %(trailers:key=Mao-Node,valueonly,separator=) %(trailers:key=Mao-Run,valueonly,separator=)"
    lines = git("log", form, *refs, cwd=origin.bare).splitlines()
    found = [line.split() for line in lines]
    return [(parts[1], int(parts[2]), parts[0]) for parts in found if len(parts) == 3]
