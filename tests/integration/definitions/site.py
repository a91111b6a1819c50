"""A node with definition tools: its services, its agent's parts, and a git server that has the tools' repositories."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.errors import DockerDown, Superseded
from app.models.installation import Installation
from app.models.run import FINAL, Run
from app.models.token import Identity, Permission
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.answering import Answering
from app.services.answers import ANSWERERS
from app.services.clone_work import work_on_clones
from app.services.dispatching import Dispatcher
from app.services.hygiene import sweep
from app.services.installations_work import work_on_installations
from app.services.terms import begin_term, fence_of
from app.settings import Settings
from app.wiring import build, equip
from tests.integration.git_server import GitServer, Origin, git

OLGA = Identity("olga", "archive-group", frozenset(Permission))
INSTALLER = "Installer: {Command: sh, Script: install.sh}\n"
COUNT = """\
  - Name: count
    Description: Writes a number of the year.
    Command: sh
    Script: bin/count.sh
    Arguments:
      - {Name: year, Description: The year.}
      - {Name: number, Description: What to write.}
"""
SHOW = """\
  - Name: show
    Description: Shows where it is.
    Command: sh
    Script: bin/show.sh
"""
SCRIPTS: dict[str, str | bytes] = {
    "install.sh": 'mkdir -p made; echo "installed by $(id -u)" > made/by\n',
    "bin/count.sh": 'echo "$2" > "$MAO_DATA_DIR/control-$1.csv"; echo "wrote $2 of $1"\n',
    "bin/show.sh": 'pwd; cat made/by; echo "$MAO_DATA_DIR"; ls data; echo x > data/shown.txt\n',
}


def definition(name: str = "visitors", commands: str = COUNT, installer: str = INSTALLER, local: str = "data") -> str:
    """Give the text of a mao.yml."""
    head = f"Version: 0.2\nName: {name}\nDescription: Counts visitors.\nData: {{Local: {local}}}\n"
    return f"{head}{installer}Commands:\n{commands}"


def newest(origin: Origin) -> str:
    """Give the commit that a repository's branch has."""
    return git("rev-parse", "HEAD", cwd=origin.desk)


class Site:
    """One node. Every term of office of its agent is begun by the test, and what it does is asked for step by step."""

    def __init__(self, settings: Settings, git: GitServer) -> None:
        self.settings = settings
        self.git = git
        self._origins: dict[str, Origin] = {}
        self.parts = equip(settings)
        self.services = build(settings)
        self.context = self.begin()

    def begin(self) -> AgentContext:
        """Begin a new term of office, as after a kill of the agent."""
        term = begin_term(self.parts.database, self.settings.node)
        fence = fence_of(self.parts.database, self.settings.node, term.epoch)
        self.context = AgentContext(
            settings=self.settings,
            database=self.parts.database,
            registry=self.parts.registry,
            workdirs=self.parts.workdirs.fenced(fence),
            executors=self.parts.executors,
            installation=term.installation,
            webhook_key=term.webhook_key,
            epoch=term.epoch,
            lost=threading.Event(),
        )
        self.dispatcher = Dispatcher(self.context, self.parts.planner)
        return self.context

    def repository(self, files: dict[str, str | bytes] | None = None, name: str = "visitors") -> Origin:
        """Make the repository of a tool, with a definition and its scripts unless others are given."""
        self._origins[name] = origin = self.git.origin(name)
        origin.push({"mao.yml": definition(name), **SCRIPTS} if files is None else files)
        return origin

    def repository_of(self, name: str = "visitors") -> Origin:
        """Give the repository that was made for a tool."""
        return self._origins[name]

    def register(self, name: str = "visitors", **values: Any) -> None:
        """Register a tool whose code is in the repository of its name."""
        entry = {"name": name, "author": "olga", "image": "", "data_repo": "", "artefact": "", "network": ""}
        self.services.tools.register(OLGA, {**entry, "code_repo": self.git.url(name), **values})

    def install(self, name: str = "visitors", **wish: str) -> Installation:
        """Ask for an installation, let the agent do it, and give what became of it."""
        self.services.installations.request(name, **wish)
        work_on_installations(self.context)
        return self.services.installations.get(name)

    def install_nothing(self) -> None:
        """Let the agent do what has been asked for before."""
        work_on_installations(self.context)

    def install_in_background(self, name: str = "visitors", **wish: str) -> threading.Thread:
        """Ask for an installation and give the thread of the agent that does it, until its term is over."""
        self.services.installations.request(name, **wish)
        context = self.context

        def work() -> None:
            with suppress(Superseded):
                work_on_installations(context)

        agent = threading.Thread(target=work)
        agent.start()
        return agent

    def clone(self) -> None:
        """Let the agent make the clones that are asked for."""
        work_on_clones(self.context)

    def answered(self, question: Any) -> Any:
        """Give what a question to the agent gives, while an agent answers."""
        answering, is_over = Answering(self.context, ANSWERERS), threading.Event()

        def work() -> None:
            while not is_over.wait(0.02):
                answering.work()

        agent = threading.Thread(target=work, daemon=True)
        agent.start()
        try:
            return question()
        finally:
            is_over.set()
            agent.join()

    def run(self, name: str = "visitors", **wishes: Any) -> Run:
        """Submit a run and give it when it is over."""
        return self.final(self.services.submissions.submit(OLGA, name, wishes))

    def final(self, run_id: int) -> Run:
        """Let the agent look after a run to its end."""
        for _ in range(150):
            self.clone()
            self.dispatcher.plan()
            self.dispatcher.step()
            run = self.row(run_id)
            if run.status in FINAL:
                return run
            threading.Event().wait(0.1)
        raise AssertionError(f"The run stayed {run.status}, waiting for {run.waiting_for}")

    def until_running(self, run_id: int) -> None:
        """Let the agent begin a run."""
        self.clone()
        self.dispatcher.step()
        self.until(lambda: self.row(run_id).status == "RUNNING")

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true."""
        for _ in range(300):
            if condition():
                return
            threading.Event().wait(0.1)
        raise AssertionError("It did not come true.")

    def row(self, run_id: int) -> Run:
        with self.parts.database.transaction() as session:
            return RunRepository(session).get(run_id)

    def output(self, run_id: int) -> str:
        """Give what a run printed."""
        return self.services.outputs.read(OLGA, run_id, 0, 2**20).data.decode()

    def sweep(self) -> int:
        return sweep(self.context, self.dispatcher.supervised)

    def end(self) -> None:
        self.context.lost.set()
        for executor in self.parts.executors.values():
            # Most of these tests need no container engine, and so have left nothing in one.
            with suppress(DockerDown):
                for leftover in executor.leftovers(self.context.installation, self.settings.node):
                    executor.remove(leftover.handle)
        self.services.close()
        self.parts.database.close()
