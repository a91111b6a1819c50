"""The product as `mao up` runs it: durable databases, the API and the agent, in a folder and on ports of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.embedded import start_etcd, start_postgres
from app.settings import Docker, Settings, child_environment, load
from benchmarks.client import Client
from benchmarks.image import IMAGE

CHECKOUT = Path(__file__).resolve().parents[1]
NODE = f"bench-{os.getpid()}"
TOOL = "noop"
_POLL_SECONDS = 0.01
_PATIENCE_SECONDS = 30.0
SYSTEMS = ("postgres", "etcd", "agent")
"""What must be up before the product takes runs; the container engine it sees a moment later."""

# This process loads nothing of the product beyond its settings and embedded servers. What it had loaded would count
# as shared in the processes that are measured, and make them look smaller than they are.


class Product:
    """Databases that stay, and processes that each measurement starts as it needs them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mao-bench-"))
        self.folder.chmod(0o755)
        try:
            self.postgres = start_postgres(self.folder / "postgres")
            self.etcd = start_etcd(self.folder / "etcd")
        except BaseException:
            self.stop()
            raise
        self.settings = self._settings()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self.mao("db", "upgrade")
        self.client = Client(self.settings.api.port, self.mao("token", "create").strip())

    def __enter__(self) -> Product:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def processes(self) -> dict[str, int]:
        """The first process of each part by its name; API and agent only while they run."""
        return {
            **{name: child.pid for name, child in self._children.items()},
            "PostgreSQL": self.postgres.pid,
            "etcd": self.etcd.pid,
        }

    def mao(self, *arguments: str) -> str:
        """Run a command of the server's command line to its end, and give what it prints."""
        command = [sys.executable, "-m", "app.server", *arguments]
        done = subprocess.run(command, cwd=CHECKOUT, env=self._environment(), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"mao {' '.join(arguments)} failed: {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def running(self, concurrent_runs: int = 4) -> Iterator[Client]:
        """Run API and agent, with the tool that does nothing registered, for the length of the block."""
        limits = replace(self.settings.limits, concurrent_runs=concurrent_runs)
        self.settings = replace(self.settings, limits=limits)
        self.start_processes()
        try:
            self.until_up(*SYSTEMS, "docker")
            self._register()
            yield self.client
        finally:
            self.stop_processes()

    def start_processes(self) -> None:
        """Start API and agent, and return at once."""
        self._spawn("API", "-m", "gunicorn", "--chdir", str(CHECKOUT), "-c", str(CHECKOUT / "gunicorn.conf.py"))
        self._spawn("agent", "-m", "app.server", "agent")

    def stop_processes(self) -> None:
        """End API and agent."""
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()

    def until_alive(self) -> None:
        """Wait until the API answers."""
        self._until(lambda: self.client.status_of("/healthz") == 200)

    def until_up(self, *systems: str) -> None:
        """Wait until the API says of every one of these systems that it is up."""
        self.until_alive()
        self._until(lambda: self._are_up(systems))

    def stop(self) -> None:
        """End everything, and remove the folder."""
        if hasattr(self, "_children"):
            self.stop_processes()
        for server in (getattr(self, "etcd", None), getattr(self, "postgres", None)):
            if server is not None:
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _are_up(self, systems: Collection[str]) -> bool:
        seen = self.client.get("/readyz", accepted=(200, 503))["systems"]
        return all(seen[name]["isUp"] for name in systems)

    def _register(self) -> None:
        entry = {"name": TOOL, "author": "bench", "image": IMAGE, "data_repo": "", "code_repo": "", "artefact": ""}
        self.client.post("/api/tools", {**entry, "command": ["true"], "network": "none"}, accepted=(201, 409))

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"The product did not come up. {self._logs()}")
            time.sleep(_POLL_SECONDS)

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=CHECKOUT, env=self._environment(), stdout=log, stderr=log
            )

    def _logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.folder.glob("*.log"))

    def _environment(self) -> dict[str, str]:
        return child_environment(self.settings)

    def _settings(self) -> Settings:
        environment = {
            "MAO_WORKING_ENVIRONMENT_NODE": NODE,
            "MAO_POSTGRES_ADDRESS": self.postgres.address,
            "MAO_POSTGRES_DATABASE": self.postgres.database,
            "MAO_POSTGRES_USER": self.postgres.user,
            "MAO_POSTGRES_PASSWORD": self.postgres.password,
            "MAO_ETCD_ADDRESS": self.etcd.address,
            "MAO_API_PORT": str(_free_port()),
            # The histories that are cloned are folders of this one.
            "MAO_GIT_ALLOW_LOCAL": "true",
            "MAO_DOCKER_SOCKET": os.environ.get("DOCKER_HOST", Docker.socket),
        }
        return load(environment, self.folder / "instance")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
