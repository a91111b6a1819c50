"""Tools that misbehave: each run ends with the right cause and a sentence, the agent lives on, nothing is left."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.integration.images import busybox_image, not_executable_image
from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def shared(docker_socket: str) -> Iterator[Product]:
    """One product for all tests of this file: the agent has to live through everything that they do."""
    with tempfile.TemporaryDirectory(prefix="mao-bad-tools-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        made = Product(Path(folder), f"bad-tools-{Path(folder).name[-6:].lower().replace('_', '-')}", docker_socket)
        made.start()
        yield made
        made.stop()


@pytest.fixture(autouse=True)
def agent_lives_on_and_nothing_is_left(shared: Product, docker_socket: str) -> Iterator[None]:
    yield
    assert shared.agents[0].poll() is None
    engine = docker.APIClient(docker_socket)
    label = f"mao.node={shared.settings.node}"
    shared.until(lambda: not engine.containers(all=True, filters={"label": label}), "every container is removed")
    engine.close()


def _run(product: Product, name: str, command: list[str], image: str | None = None, **values: Any) -> dict[str, Any]:
    product.add_tool(name, image or busybox_image(), command, **values)
    return product.final(product.submit(name), seconds=120)


def _remote(product: Product, name: str) -> tuple[str, Path]:
    path = product.folder / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return f"file://{path}", product.settings.working_environment.importdir / name


def test_an_image_that_does_not_exist(shared: Product) -> None:
    run = _run(shared, "no-image", ["true"], image="127.0.0.1:1/nobody/nothing:1")
    assert (run["status"], run["cause"]) == ("FAILED", "image_missing")
    assert "127.0.0.1:1/nobody/nothing:1" in run["message"]


def test_a_command_that_does_not_exist(shared: Product) -> None:
    run = _run(shared, "no-command", ["/no/such/command"])
    assert (run["status"], run["cause"]) == ("FAILED", "tool_error")
    assert "127" in run["message"]


def test_a_program_that_this_machine_cannot_execute(shared: Product) -> None:
    run = _run(shared, "bad-format", ["/broken"], image=not_executable_image())
    assert (run["status"], run["cause"]) == ("FAILED", "tool_error")


def test_a_tool_that_takes_too_much_memory(shared: Product) -> None:
    run = _run(shared, "greedy", ["sh", "-c", "head -c 200m /dev/zero | tail -c 200m"], memory_mb=16)
    assert (run["status"], run["cause"]) in {("FAILED", "oom"), ("SUCCEEDED", "ok")}
    assert run["cause"] == "oom" or run["warnings"]


def test_a_tool_that_takes_too_much_time(shared: Product) -> None:
    run = _run(shared, "slow", ["sleep", "60"], timeout_seconds=1)
    assert (run["status"], run["cause"]) == ("FAILED", "timeout")
    assert "1 second" in run["message"]


def test_a_tool_that_ignores_the_request_to_stop(shared: Product) -> None:
    shared.add_tool("stubborn", busybox_image(), ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"])
    run_id = shared.submit("stubborn")
    shared.until_running(run_id)
    assert shared.call("DELETE", f"/api/runs/{run_id}").status_code == 202
    run = shared.final(run_id)
    assert (run["status"], run["cause"], run["message"]) == ("ABORTED", "cancelled", "Stopped by root.")


def test_a_tool_that_prints_more_than_is_kept(shared: Product) -> None:
    # Long lines, because the engine takes as long for a short one.
    line = "a line of some length, to be printed very often, " * 20
    run = _run(shared, "chatty", ["sh", "-c", f"yes '{line}' | head -c 80m; echo THE-END; exit 5"])
    assert (run["status"], run["exitCode"]) == ("FAILED", 5)
    assert "bytes behind its first 66060288 are not kept" in " ".join(run["warnings"])
    tail = shared.call("GET", f"/api/runs/{run['id']}/output.txt?tail=2").content
    assert tail.count(b"\n") <= 2
    assert tail.endswith(b"THE-END\n")
    whole = shared.output(run["id"])
    assert whole.startswith(b"a line of some length")
    assert whole.endswith(b"THE-END\n")


def test_a_tool_that_prints_every_byte(shared: Product) -> None:
    script = 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done; exit 3'
    run = _run(shared, "binary", ["sh", "-c", script])
    assert (run["status"], run["exitCode"]) == ("FAILED", 3)
    assert shared.output(run["id"]) == bytes(range(256))
    assert shared.call("GET", f"/api/runs/{run['id']}/report").json()["lastLines"]


def test_files_of_a_failed_run_never_reach_the_branch(shared: Product) -> None:
    url, clone = _remote(shared, "half-done")
    run = _run(shared, "half-done", ["sh", "-c", "echo 1 > /usr/src/app/data/control-1.csv; exit 9"], data_repo=url)
    assert (run["status"], run["exitCode"], run["outputCommit"]) == ("FAILED", 9, None)
    assert not (clone / "control-1.csv").exists()
    branches = _git(clone, "branch", "--list", "quarantine/*")
    assert branches.split() == [f"quarantine/{run['id']}"]
    assert _git(clone, "show", f"quarantine/{run['id']}:control-1.csv") == "1\n"


@pytest.mark.parametrize(
    ("content", "status"), [("NaN", "bad_metric"), ("\\000\\001", "bad_metric"), ("1e999", "bad_metric")]
)
def test_a_control_file_without_a_number_is_a_bad_metric_and_no_defect(
    shared: Product, content: str, status: str
) -> None:
    name = f"odd-{abs(hash(content)) % 10**6}"
    url, _ = _remote(shared, name)
    command = ["sh", "-c", f"printf '{content}' > /usr/src/app/data/control-1.csv"]
    run = _run(shared, name, command, data_repo=url)
    assert (run["status"], run["spike"]["status"]) == ("SUCCEEDED", status)


def test_a_run_without_a_new_control_file_is_never_judged_on_old_data(shared: Product) -> None:
    url, _ = _remote(shared, "lazy")
    command = ["sh", "-c", "cd /usr/src/app/data; [ -e control-1.csv ] || echo 5 > control-1.csv"]
    first = _run(shared, "lazy", command, data_repo=url)
    second = shared.final(shared.submit("lazy"))
    assert (first["spike"]["status"], second["spike"]["status"]) == ("not_enough_data", "no_metric")
    assert second["outputCommit"] is None


def test_a_remote_that_does_not_answer(shared: Product) -> None:
    run = _run(shared, "no-remote", ["true"], data_repo="https://127.0.0.1:1/nobody/nothing.git")
    assert (run["status"], run["cause"]) == ("FAILED", "data_unavailable")
    assert not (shared.settings.working_environment.importdir / "no-remote").exists()


def test_a_tool_that_was_removed_before_its_job_fired(shared: Product) -> None:
    shared.add_tool("short-lived", busybox_image(), ["true"])
    due = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 3))
    assert shared.call("POST", "/api/jobs", json={"tool": "short-lived", "at": due}).status_code == 201
    assert shared.call("DELETE", "/api/tools/short-lived").status_code == 204
    run = shared.until(
        lambda: shared.call("GET", "/api/runs?job=short-lived&status=FAILED").json()["items"], "the job has fired"
    )[0]
    assert "short-lived" in run["message"]


def _git(clone: Path, *arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout
