"""Whatever is killed, the record is true afterwards: one start, the whole output, the right exit code."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings, child_environment, load
from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker

LINES = 60
COUNTING = ["sh", "-c", f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 7"]
EXPECTED = b"".join(b"line %d\n" % number for number in range(LINES))


def _containers(engine: Any, product: Product) -> list[dict[str, Any]]:
    return engine.containers(all=True, filters={"label": f"mao.node={product.settings.node}"})


def _starts(engine: Any, product: Product, since: float) -> list[str]:
    """Give the run number of every start of a container that the engine has seen on this node."""
    events = engine.events(
        since=int(since) - 1,
        until=int(time.time()) + 1,
        decode=True,
        filters={"event": "start", "label": f"mao.node={product.settings.node}"},
    )
    return [event["Actor"]["Attributes"]["mao.run"] for event in events]


def _check_counting_run(product: Product, engine: Any, run_id: int, began: float) -> None:
    run = product.final(run_id)
    assert (run["status"], run["cause"], run["exitCode"], run["attempt"]) == ("FAILED", "tool_error", 7, 1)
    assert product.output(run_id) == EXPECTED
    assert _starts(engine, product, began) == [str(run_id)]
    product.until(lambda: _containers(engine, product) == [], "the container is removed")


def test_an_agent_killed_during_a_run_goes_on_with_the_same_container(
    product: Product, image: str, engine: Any
) -> None:
    began = time.time()
    agent = product.start()
    product.add_tool("count", image, COUNTING)
    run_id = product.submit("count")
    product.until(lambda: b"line 5\n" in product.output(run_id), "output is stored while it runs")
    before = _containers(engine, product)[0]["Id"]
    agent.kill()
    agent.wait()
    time.sleep(0.5)
    product.start_agent()
    product.until(lambda: b"line 30\n" in product.output(run_id), "the new agent follows the output")
    assert [container["Id"] for container in _containers(engine, product)] == [before]
    _check_counting_run(product, engine, run_id, began)


@pytest.mark.long
def test_a_tool_that_ends_while_no_agent_is_there_is_recorded_by_the_next(
    product: Product, image: str, engine: Any
) -> None:
    began = time.time()
    agent = product.start()
    product.add_tool("count", image, COUNTING)
    run_id = product.submit("count")
    product.until_running(run_id)
    agent.kill()
    agent.wait()
    product.until(lambda: _containers(engine, product)[0]["State"] == "exited", "the tool has ended")
    assert product.run(run_id)["status"] == "RUNNING"
    product.start_agent()
    _check_counting_run(product, engine, run_id, began)


def test_postgres_restarted_at_once_loses_neither_the_run_nor_a_byte(product: Product, image: str, engine: Any) -> None:
    began = time.time()
    product.start()
    product.add_tool("count", image, COUNTING)
    run_id = product.submit("count")
    product.until(lambda: b"line 5\n" in product.output(run_id), "output is stored while it runs")
    product.stop_postgres_at_once()
    time.sleep(1.0)
    product.start_postgres_again()
    _check_counting_run(product, engine, run_id, began)
    assert product.agents[0].poll() is None


def test_while_postgres_is_down_the_api_says_so_and_recovers_by_itself(product: Product, image: str) -> None:
    product.start_api()
    product.add_tool("quick", image, ["true"])
    product.stop_postgres_at_once()
    answer = product.call("POST", "/api/tools/quick/runs", json={})
    assert answer.status_code == 503
    assert "PostgreSQL" in answer.json()["message"]
    assert "Retry-After" in answer.headers
    product.start_postgres_again()
    run_id = product.submit("quick")
    product.start_agent()
    assert product.final(run_id)["status"] == "SUCCEEDED"


def test_etcd_killed_stops_no_run_and_is_named_until_it_is_back(product: Product, image: str, engine: Any) -> None:
    began = time.time()
    product.start()
    product.add_tool("count", image, COUNTING)
    run_id = product.submit("count")
    product.until_running(run_id)
    product.kill_etcd()
    answer = product.call("GET", "/api/tools/count")
    assert answer.status_code == 503
    assert "etcd" in answer.json()["message"]
    _check_counting_run(product, engine, run_id, began)
    product.restart_etcd()
    product.until(lambda: product.call("GET", "/api/tools/count").ok, "the registry is back", 15)


def test_a_job_that_is_due_while_etcd_is_down_runs_when_it_is_back(product: Product, image: str) -> None:
    product.start()
    product.add_tool("quick", image, ["true"])
    due = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 3))
    assert product.call("POST", "/api/jobs", json={"tool": "quick", "at": due}).status_code == 201
    product.kill_etcd()

    def waiting() -> dict[str, Any] | None:
        runs = product.call("GET", "/api/runs").json()["items"]
        return runs[0] if runs and str(runs[0]["waitingFor"]).startswith("registry") else None

    run_id = product.until(waiting, "the run is accepted and says that it waits for the registry")["id"]
    product.restart_etcd()
    assert product.final(run_id)["status"] == "SUCCEEDED"


@pytest.mark.long
def test_killed_api_workers_lose_no_run_that_was_accepted(product: Product, image: str) -> None:
    product.start_api()
    product.add_tool("quick", image, ["true"], labels={"_execution_backend_id": "dummy"})
    accepted: list[int] = []
    is_over = threading.Event()

    def submit() -> None:
        while not is_over.is_set():
            answer = product.call("POST", "/api/tools/quick/runs", json={})
            if answer.status_code == 202:
                accepted.append(answer.json()["runId"])

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    kills = 0
    for _ in range(6):
        time.sleep(0.7)
        for pid in _children(product.api.pid if product.api else 0)[:1]:
            os.kill(pid, signal.SIGKILL)
            kills += 1
    is_over.set()
    for thread in threads:
        thread.join()
    assert kills == 6
    assert len(accepted) > 20
    product.start_agent()
    for run_id in accepted:
        assert product.final(run_id)["status"] == "SUCCEEDED"
    assert len(set(accepted)) == len(accepted)


def test_while_the_engine_is_away_runs_wait_and_go_on_when_it_is_back(
    product: Product, image: str, docker_socket: str, tmp_path: Path
) -> None:
    """The engine's address is a link that appears later."""
    link = tmp_path / "docker.sock"
    environment = {"MAO_DOCKER_SOCKET": f"unix://{link}"}
    product.settings = _with(product, environment)
    product.start()
    product.add_tool("quick", image, ["true"])
    run_id = product.submit("quick")
    waits = product.until(lambda: str(product.run(run_id).get("waitingFor") or ""), "the run says what it waits for")
    product.until(lambda: str(product.run(run_id)["waitingFor"]).startswith("backend"), f"it waits for it: {waits}")
    answer = product.until(lambda: _not_ready(product), "the API says that docker is down")
    assert not answer["systems"]["docker"]["isUp"]
    link.symlink_to(docker_socket.removeprefix("unix://"))
    assert product.final(run_id)["status"] == "SUCCEEDED"
    product.until(lambda: product.call("GET", "/readyz").ok, "everything is ready")


def _not_ready(product: Product) -> dict[str, Any] | None:
    answer = product.call("GET", "/readyz")
    if answer.status_code == 503 and answer.json()["systems"]["agent"]["isUp"]:
        return answer.json()
    return None


def _with(product: Product, environment: dict[str, str]) -> Settings:
    return load({**child_environment(product.settings), **environment}, product.settings.instance)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
