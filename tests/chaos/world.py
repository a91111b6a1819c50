"""The whole product as real processes over services of its own, in a network of its own; everything may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg2
import requests

from app.embedded import start_postgres
from app.errors import MaoError
from app.repositories.database import migrate
from app.settings import Settings, child_environment, load
from app.wiring import build
from tests.chaos.cluster import Cluster
from tests.chaos.engine import Engine
from tests.chaos.isolation import CHECKOUT
from tests.chaos.network import Network
from tests.chaos.ports import free_port
from tests.chaos.processes import Keeper, Process, until

NODE = "storm"
CUT = 599
LOCK_SECONDS = 5
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
"""What lets a process live with a wrong clock, where Debian's package ``faketime`` is installed."""

_SMALL_DISKS = {"postgres": "1500m", "instance/data": "1g"}


class World:
    """Everything that runs. ``keep`` starts again what dies, as an operator's supervisor would."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder, self.logs = folder, logs
        for name, size in _SMALL_DISKS.items():
            _mount(folder / name, size)
        (folder / "instance").chmod(0o755)
        self.wrong_by_seconds = 0
        self.network = Network()
        self.postgres = start_postgres(folder / "postgres")
        self.etcd = Cluster(folder, logs)
        self.engine = Engine(folder / "engine", logs, folder.name)
        self.postgres_link = self.network.link(lambda: self.postgres.address)
        self.etcd_links = [self.network.link(lambda a=address: a) for address in self.etcd.addresses]
        self.settings = self._settings()
        self.url = f"http://127.0.0.1:{self.settings.api.port}"
        self.api = Process(
            "api",
            lambda: [sys.executable, "-m", "gunicorn", "-c", str(CHECKOUT / "gunicorn.conf.py")],
            logs,
            self._environment,
            takes_children_along=True,
        )
        self.agents = [self._agent(number) for number in range(2)]
        self._keeper = Keeper([self._start_postgres_again, *[process.start for process in self.processes]])
        self._headers: dict[str, str] = {}

    @property
    def processes(self) -> list[Process]:
        return [self.engine.containerd, self.engine.dockerd, *self.etcd.members, self.api, *self.agents]

    @property
    def data(self) -> Path:
        """The folder of the clones."""
        return self.settings.working_environment.importdir

    @property
    def edge(self) -> Path:
        """The file that names the point at which an agent is to die; see ``tests.chaos.agent``."""
        return self.folder / "edge"

    def begin(self) -> None:
        """Start everything and wait until it answers."""
        for process in [self.engine.containerd, *self.etcd.members]:
            process.start()
        until((self.engine.folder / "containerd.sock").exists, "containerd listens")
        self.engine.dockerd.start()
        migrate(self.settings.database_url)
        until(self.etcd.is_ready, "etcd answers")
        until(self.engine.is_ready, "the engine answers")
        self._headers = {"X-Api-Token": build(self.settings).tokens.create_root("storm")}
        self._keeper.begin()
        until(self.is_api_ready, "the API answers")
        until(self.leader, "an agent leads")

    def end(self) -> None:
        """End everything; what is overlooked ends with the world's first process."""
        self._keeper.end()
        for process in reversed(self.processes):
            process.kill()
        self.postgres.stop()

    def call(
        self, method: str, path: str, *, key: str | None = None, seconds: float = 20, **arguments: Any
    ) -> requests.Response:
        """Make one call; one without an answer gives the status CUT."""
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        try:
            return requests.request(method, self.url + path, headers=headers, timeout=seconds, **arguments)
        except requests.RequestException:
            cut = requests.Response()
            cut.status_code = CUT
            return cut

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL directly, past the product and past the link.

        Raises:
            psycopg2.Error: it does not answer.
        """
        host, port = self.postgres.address.rsplit(":", 1)
        connection = psycopg2.connect(
            host=host,
            port=port,
            user=self.postgres.user,
            password=self.postgres.password,
            dbname=self.postgres.database,
            connect_timeout=3,
            options="-c statement_timeout=20000",
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def leader(self) -> Process | None:
        """Give the agent that leads, by what the agents' logs say."""
        for agent in self.agents:
            if agent.is_alive() and _leads(agent.log):
                return agent
        return None

    def is_postgres_ready(self) -> bool:
        try:
            return self.query("select 1") == [(1,)]
        except psycopg2.Error:
            return False

    def is_api_ready(self) -> bool:
        return self.call("GET", "/healthz", seconds=2).ok

    def postgres_processes(self) -> list[int]:
        """Give the numbers of the server and of its children."""
        pid = self.postgres.pid
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [pid, *map(int, children)]
        return [pid]

    def _start_postgres_again(self) -> None:
        if self.postgres.is_alive():
            return
        self.postgres.stop()
        # A disk that is full keeps the server from starting; it is tried again until there is room.
        with suppress(MaoError, OSError):
            self.postgres = start_postgres(self.folder / "postgres")

    def _agent(self, number: int) -> Process:
        return Process(
            f"agent-{number}", lambda: [sys.executable, "-m", "tests.chaos.agent"], self.logs, self._environment
        )

    def _environment(self) -> dict[str, str]:
        environment = {**child_environment(self.settings), "CHAOS_EDGE": str(self.edge)}
        if not self.wrong_by_seconds:
            return environment
        faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{self.wrong_by_seconds:+d}s"}
        return {**environment, **faked, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def _settings(self) -> Settings:
        environment = {
            "MAO_WORKING_ENVIRONMENT_NODE": NODE,
            "MAO_POSTGRES_ADDRESS": self.postgres_link.address,
            "MAO_POSTGRES_DATABASE": self.postgres.database,
            "MAO_POSTGRES_USER": self.postgres.user,
            "MAO_POSTGRES_PASSWORD": self.postgres.password,
            "MAO_ETCD_ADDRESS": ",".join(link.address for link in self.etcd_links),
            "MAO_DOCKER_SOCKET": self.engine.address,
            "MAO_GIT_ALLOW_LOCAL": "yes",
            "MAO_API_PORT": str(free_port()),
            "MAO_API_THREADS": "8",
            "MAO_LIMITS_STOP_GRACE_SECONDS": "1",
            "MAO_LIMITS_CONCURRENT_RUNS": "8",
            "MAO_LIMITS_LOCK_SECONDS": str(LOCK_SECONDS),
            "MAO_LIMITS_RETRY_SECONDS": "1",
            "MAO_LIMITS_CATCH_UP_PER_MINUTE": "0",
        }
        return load(environment, self.folder / "instance")


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to each of the processes that still is there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def freeze(pids: list[int]) -> Callable[[], None]:
    """Freeze processes, and give what lets them go on."""
    signal_all(pids, signal.SIGSTOP)
    return lambda: signal_all(pids, signal.SIGCONT)


def _leads(log: Path) -> bool:
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return False
    return text.rfind("This agent leads") > text.rfind("The term of office is over")


def _mount(folder: Path, size: str) -> None:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)], check=True)
