"""`mao up` for real: ready with one command, steady while parts of it die, and nothing left when it is over."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.machine import api
from app.machine.instance import Connection, is_ready, read_connection, running_pid

MAO = (sys.executable, "-m", "app.server")
PATIENCE_SECONDS = 90


@contextmanager
def an_instance() -> Iterator[Path]:
    """Make an instance folder that PostgreSQL's account can enter, which pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="mao-up-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run([*MAO, "down", "--instance", str(folder)], check=False)
    shutil.rmtree(folder)


@pytest.fixture
def instance() -> Iterator[Path]:
    with an_instance() as folder:
        yield folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start_up(instance: Path, port: int) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start `mao up` and wait until it is ready; whatever still runs at the end of the test is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*MAO, "up", "--instance", str(instance), "--port", str(port)])
        started.append(process)
        wait_until(lambda: is_up(instance, process))
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def running() -> Iterator[Path]:
    """An instance that is up, for tests that leave it so."""
    with an_instance() as folder:
        process = subprocess.Popen([*MAO, "up", "--instance", str(folder), "--port", str(free_port())])
        wait_until(lambda: is_up(folder, process))
        yield folder
        process.kill()
        process.wait()


def is_up(instance: Path, process: subprocess.Popen[bytes]) -> bool:
    return (running_pid(instance) == process.pid and is_ready(instance)) or ended(process)


def ended(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "`mao up` ended before it was ready"
    return False


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def connection_of(instance: Path) -> Connection:
    found = read_connection(instance)
    assert found
    return found


def processes_of(instance: Path) -> dict[int, str]:
    """Give the processes whose arguments or environment name the instance, with their arguments."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes()
            known = arguments + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(instance).encode() in known and arguments and int(entry.name) != os.getpid():
            found[int(entry.name)] = arguments.replace(b"\0", b" ").decode(errors="replace")
    return found


def test_up_is_ready_and_a_signal_ends_all_of_it(
    instance: Path, start_up: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start_up()
    connection = connection_of(instance)
    assert api.missing_systems(connection) == []
    assert (instance / "maoctl.ini").stat().st_mode & 0o777 == 0o600
    assert len(processes_of(instance)) > 4
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert processes_of(instance) == {}
    assert running_pid(instance) is None


def test_no_secret_is_an_argument_of_a_process(running: Path) -> None:
    secrets = [connection_of(running).token, (running / "postgres" / "password").read_text(encoding="utf-8")]
    arguments = " ".join(processes_of(running).values())
    assert [secret for secret in secrets if secret in arguments] == []


def test_a_second_start_of_the_same_instance_is_refused(running: Path, port: int) -> None:
    second = subprocess.run(
        [*MAO, "up", "--instance", str(running), "--port", str(port)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert str(running_pid(running)) in second.stderr
    assert "mao down" in second.stderr


def test_parts_that_are_killed_come_back(running: Path) -> None:
    connection = connection_of(running)
    for mark in ("gunicorn", "app.server agent", "/etcd ", "bin/postgres"):
        victim = min(pid for pid, arguments in processes_of(running).items() if mark in arguments)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: victim not in processes_of(running))
        wait_until(lambda mark=mark: any(mark in arguments for arguments in processes_of(running).values()))
        wait_until(lambda: api.missing_systems(connection) == [])


@pytest.mark.long
def test_a_kill_of_up_itself_does_not_stand_in_the_way_of_the_next_start(
    instance: Path, start_up: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start_up()
    token = connection_of(instance).token
    process.kill()
    process.wait()
    again = start_up()
    assert connection_of(instance).token == token
    assert api.missing_systems(connection_of(instance)) == []
    again.send_signal(signal.SIGTERM)
    assert again.wait(PATIENCE_SECONDS) == 0
    assert processes_of(instance) == {}


def test_down_ends_what_a_killed_up_has_left(instance: Path, start_up: Callable[[], subprocess.Popen[bytes]]) -> None:
    process = start_up()
    process.kill()
    process.wait()
    subprocess.run([*MAO, "down", "--instance", str(instance)], check=True)
    wait_until(lambda: processes_of(instance) == {})


def test_up_detached_returns_when_ready_and_down_ends_it(instance: Path, port: int) -> None:
    subprocess.run([*MAO, "up", "--detach", "--instance", str(instance), "--port", str(port)], check=True)
    assert is_ready(instance)
    subprocess.run([*MAO, "down", "--all", "--instance", str(instance)], check=True)
    assert processes_of(instance) == {}


def test_a_port_that_is_taken_is_named(instance: Path, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        refused = subprocess.run(
            [*MAO, "up", "--instance", str(instance), "--port", str(port)], capture_output=True, text=True, check=False
        )
    assert refused.returncode == 1
    assert f"127.0.0.1:{port}" in refused.stderr


def test_cleaning_finds_the_databases_of_up_and_starts_them_where_it_does_not_run(
    instance: Path, start_up: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start_up()
    retention = [*MAO, "retention", "--dry-run", "--instance", str(instance)]
    told = subprocess.run(retention, check=True, capture_output=True, text=True).stdout
    assert "Would remove 0 B altogether." in told
    assert api.missing_systems(connection_of(instance)) == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert (
        "Would remove 0 B altogether." in subprocess.run(retention, check=True, capture_output=True, text=True).stdout
    )
    assert processes_of(instance) == {}
