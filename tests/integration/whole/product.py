"""The product as real processes that a test may kill, over services that it may kill too."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

from app.settings import Settings, child_environment, load
from app.wiring import build
from tests.integration.whole.stores import Stores

CHECKOUT = Path(__file__).resolve().parents[3]
CUT = 599
T = TypeVar("T")


class Product:
    """PostgreSQL, etcd, the API and any number of agents, in folders of their own."""

    def __init__(self, folder: Path, node: str, docker_address: str) -> None:
        self.folder = folder
        self.stores = Stores()
        self.postgres = self.stores.start_postgres()
        self.etcd = self.stores.start_etcd()
        self.settings = self._settings(node, docker_address)
        self.url = f"http://127.0.0.1:{self.settings.api.port}"
        self.agents: list[subprocess.Popen[bytes]] = []
        self.api: subprocess.Popen[bytes] | None = None
        services = build(self.settings)
        self.headers = {"X-Api-Token": services.tokens.create_root("tester")}
        services.close()

    def start(self) -> subprocess.Popen[bytes]:
        """Start an agent, and at the same time the API; give the agent when the API answers."""
        agent = self.start_agent()
        self.start_api()
        return agent

    def start_api(self) -> None:
        self.api = self._spawn("api", "-m", "gunicorn", "-c", str(CHECKOUT / "gunicorn.conf.py"))
        self.until(lambda: self.call("GET", "/healthz").ok, "the API answers")

    def start_agent(self) -> subprocess.Popen[bytes]:
        agent = self._spawn(f"agent-{len(self.agents)}", "-m", "app.server", "agent")
        self.agents.append(agent)
        return agent

    def stop(self) -> None:
        for process in [*self.agents, *([self.api] if self.api else [])]:
            if process.poll() is None:
                process.terminate()
        for process in [*self.agents, *([self.api] if self.api else [])]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.etcd.stop()
        self.postgres.stop()
        self.stores.remove()

    def stop_postgres_at_once(self) -> None:
        """Do what ``pg_ctl stop -m immediate`` does: no checkpoint, every connection cut."""
        self._signal_and_wait(self.postgres.pid, signal.SIGQUIT)
        self.postgres.stop()

    def start_postgres_again(self) -> None:
        self.postgres = self.stores.start_postgres()

    def kill_etcd(self) -> None:
        self._signal_and_wait(self.etcd.pid, signal.SIGKILL)
        self.etcd.stop()

    def restart_etcd(self) -> None:
        self.etcd = self.stores.start_etcd()

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Make one call; a connection that is refused or cut gives an empty answer with the status CUT.

        Why is written to a log of its own, for the test that did not expect it.
        """
        try:
            return requests.request(method, self.url + path, timeout=70, **{"headers": self.headers, **arguments})
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            with (self.folder / "cut-calls.log").open("a") as log:
                log.write(f"{time.strftime('%H:%M:%S')} {method} {path}: {error}"[:200] + "\n")
            cut = requests.Response()
            cut.status_code = CUT
            cut.raw = io.BytesIO()
            return cut

    def add_tool(self, name: str, image: str, command: list[str], **values: Any) -> None:
        entry = {"name": name, "author": "t", "image": image, "data_repo": "", "code_repo": "c", "artefact": "a"}
        answer = self.call("POST", "/api/tools", json={**entry, "command": command, "network": "none", **values})
        assert answer.status_code == 201, answer.text

    def submit(self, tool: str) -> int:
        answer = self.call("POST", f"/api/tools/{tool}/runs", json={})
        assert answer.status_code == 202, f"{answer.status_code} {answer.text} {self.logs()}"
        return int(answer.json()["runId"])

    def run(self, run_id: int) -> dict[str, Any]:
        answer = self.call("GET", f"/api/runs/{run_id}")
        return answer.json() if answer.ok else {"status": f"unknown ({answer.status_code})"}

    def final(self, run_id: int, seconds: float = 60) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            run = self.run(run_id)
            return run if run["status"] in {"SUCCEEDED", "FAILED", "ABORTED", "IN_DOUBT"} else None

        return self.until(ended, f"run {run_id} is over", seconds)

    def until_running(self, run_id: int) -> None:
        self.until(lambda: self.run(run_id)["status"] == "RUNNING", f"run {run_id} is running")

    def output(self, run_id: int) -> bytes:
        return self.call("GET", f"/api/runs/{run_id}/output.txt").content

    def until(self, condition: Callable[[], T], what: str, seconds: float = 60) -> T:
        """Give what the condition gives as soon as it is true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"Not within {seconds} s: {what}. {self.logs()}"
            time.sleep(0.05)
        return found

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.folder.glob("*.log"))

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=CHECKOUT, env=child_environment(self.settings), stdout=log, stderr=log
            )

    def _settings(self, node: str, docker_address: str) -> Settings:
        environment = {
            "MAO_WORKING_ENVIRONMENT_NODE": node,
            "MAO_POSTGRES_ADDRESS": self.postgres.address,
            "MAO_POSTGRES_DATABASE": self.postgres.database,
            "MAO_POSTGRES_USER": self.postgres.user,
            "MAO_POSTGRES_PASSWORD": self.postgres.password,
            "MAO_ETCD_ADDRESS": self.etcd.address,
            "MAO_DOCKER_SOCKET": docker_address,
            "MAO_GIT_ALLOW_LOCAL": "yes",
            "MAO_API_PORT": str(_free_port()),
            "MAO_LIMITS_STOP_GRACE_SECONDS": "2",
        }
        return load(environment, self.folder / "instance")

    def _signal_and_wait(self, pid: int, number: int) -> None:
        os.kill(pid, number)
        self.until(lambda: _is_gone(pid), f"process {pid} is gone")


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
