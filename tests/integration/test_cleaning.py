"""`mao retention` and `mao gc`, as somebody types them while no agent runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.repositories.database import Database
from app.settings import Settings, child_environment
from tests.integration.core.conftest import add_run
from tests.integration.core.premises import execute

Mao = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mao(settings: Settings) -> Mao:
    def call(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {**child_environment(settings), "MAO_DOCKER_SOCKET": "unix:///nowhere/docker.sock", **changes}
        command = [sys.executable, "-m", "app.server", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def old_run(settings: Settings) -> int:
    database = Database(settings.database_url)
    run_id = add_run(database).id
    ended = "update runs set status = 'FAILED', defined_at = :at, ended_at = :at where id = :id"
    execute(database, ended, at="2001-02-03 04:05:06+00", id=run_id)
    execute(database, "insert into run_output values (:id, 0, '12345')", id=run_id)
    database.close()
    return run_id


def _items(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {item["kind"]: item for item in json.loads(done.stdout)["items"]}


def test_retention_shows_first_and_removes_then(mao: Mao, old_run: int) -> None:
    for arguments in (("--dry-run",), ("--dry-run",), ()):
        done = mao("retention", "-o", "json", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        items = _items(done)
        assert (items["runs"]["count"], items["output"]["count"], items["output"]["bytes"]) == (1, 1, 5)
    assert _items(mao("retention", "-o", "json"))["runs"]["count"] == 0


def test_retention_tells_people_what_is_kept_for_ever(mao: Mao, old_run: int) -> None:
    done = mao("retention", "--dry-run", MAO_RETENTION_RUNS_DAYS="0", MAO_RETENTION_OUTPUT_DAYS="0")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "kept for ever" in lines["runs"]
    assert "kept for ever" not in lines["firings"]
    assert done.stdout.splitlines()[-1] == "Would remove 0 B altogether."


def test_gc_removes_what_it_can_and_says_plainly_that_no_engine_answers(mao: Mao, settings: Settings) -> None:
    half: Path = settings.working_environment.importdir / ".gone-one"
    lock = half.parent / ".git-dirs" / "one.lock"
    for folder in (half, lock.parent):
        folder.mkdir(parents=True)
    (half / "data.csv").write_bytes(b"1")
    lock.touch()
    for arguments in (("--dry-run",), ()):
        done = mao("gc", *arguments)
        assert done.returncode == 1
        assert "mao: The attempts on docker were not looked at: The container engine does not answer." in done.stderr
        assert "its download or its removal was cut short" in done.stdout
        assert half.exists() == bool(arguments)
    assert json.loads(mao("gc", "-o", "json").stdout) == {"isDryRun": False, "items": [], "bytes": 0}


@pytest.mark.docker
def test_gc_of_a_clean_node_ends_well(mao: Mao, docker_socket: str) -> None:
    done = mao("gc", MAO_DOCKER_SOCKET=docker_socket)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Removed 0 B altogether.\n", "")


def test_without_any_database_the_cure_is_told(mao: Mao, tmp_path: Path) -> None:
    done = mao("gc", "--instance", str(tmp_path), MAO_POSTGRES_ADDRESS="", MAO_ETCD_ADDRESS="")
    assert done.returncode == 1
    assert "There is no database" in done.stderr
    assert "--instance" in done.stderr
