from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from app.embedded import EtcdServer, PostgresServer, postgres_programs, start_etcd, start_postgres
from app.embedded.places import ELSEWHERE
from app.errors import DatabaseDown, Locked
from app.repositories.etcd import EtcdKv
from app.settings import Etcd
from tests.contracts import wait_until

Server = PostgresServer | EtcdServer
Start = Callable[[Path], Server]
only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root must hand Postgres to another account")


def start_fast_postgres(folder: Path) -> PostgresServer:
    return start_postgres(folder, is_durable=False)


def start_fast_etcd(folder: Path) -> EtcdServer:
    return start_etcd(folder, is_durable=False)


@pytest.fixture
def folder(services_folder: Path) -> Iterator[Path]:
    folder = services_folder / f"embedded-{time.monotonic_ns()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=[start_fast_postgres, start_fast_etcd], ids=["postgres", "etcd"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    started: list[Server] = []

    def start_and_note(folder: Path) -> Server:
        started.append(request.param(folder))
        return started[-1]

    yield start_and_note
    for server in started:
        server.stop()


def connect(server: PostgresServer, password: str | None = None) -> psycopg2.extensions.connection:
    host, port = server.address.split(":")
    secret = server.password if password is None else password
    return psycopg2.connect(host=host, port=port, user=server.user, password=secret, dbname=server.database)


def write(server: Server) -> None:
    if isinstance(server, EtcdServer):
        EtcdKv(Etcd(address=server.address)).create("/mao/kept", "x")
        return
    connection = connect(server)
    with connection, connection.cursor() as cursor:
        cursor.execute("create table kept as select 7 as number")
    connection.close()


def has_written(server: Server) -> bool:
    if isinstance(server, EtcdServer):
        return EtcdKv(Etcd(address=server.address)).get("/mao/kept") is not None
    connection = connect(server)
    with connection, connection.cursor() as cursor:
        cursor.execute("select number from kept")
        found = cursor.fetchall()
    connection.close()
    return found == [(7,)]


def test_a_server_keeps_data_and_address_over_a_restart(start: Start, folder: Path) -> None:
    first = start(folder)
    write(first)
    first.stop()
    assert not first.is_alive()
    second = start(folder)
    assert second.is_alive()
    assert second.address == first.address
    assert has_written(second)


def test_a_killed_server_is_noticed_and_starts_again(start: Start, folder: Path) -> None:
    first = start(folder)
    write(first)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not first.is_alive(), "the killed server counts as alive")
    first.stop()
    assert has_written(start(folder))


def test_stopping_twice_is_no_error(start: Start, folder: Path) -> None:
    server = start(folder)
    server.stop()
    server.stop()


def test_a_frozen_server_can_be_stopped(start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("postgres", "etcd"):
        monkeypatch.setattr(f"app.embedded.{module}._STOP_SECONDS", 1.0)
    server = start(folder)
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not server.is_alive()


def test_a_folder_serves_one_process_at_a_time(start: Start, folder: Path) -> None:
    start(folder)
    with pytest.raises(Locked):
        start(folder)


def test_a_port_that_was_taken_meanwhile_is_replaced(start: Start, folder: Path) -> None:
    first = start(folder)
    write(first)
    first.stop()
    host, port = first.address.split(":")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((host, int(port)))
        squatter.listen()
        second = start(folder)
        assert second.address != first.address
        assert has_written(second)


@pytest.mark.parametrize("name", ["postgres", "etcd"])
def test_what_a_killed_process_left_running_is_ended_before_the_next_start(folder: Path, name: str) -> None:
    code = """
import sys, time
from pathlib import Path
from app import embedded
server = getattr(embedded, "start_" + sys.argv[1])(Path(sys.argv[2]), is_durable=False)
print(server.pid, flush=True)
time.sleep(600)
"""
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", code, name, folder], cwd=root, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    left_behind = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    server: Server = {"postgres": start_fast_postgres, "etcd": start_fast_etcd}[name](folder)
    try:
        assert not is_running(left_behind)
        write(server)
        assert has_written(server)
    finally:
        server.stop()


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class TestPostgres:
    @pytest.fixture
    def start(self) -> Iterator[Callable[[Path], PostgresServer]]:
        started: list[PostgresServer] = []

        def start_and_note(folder: Path) -> PostgresServer:
            started.append(start_fast_postgres(folder))
            return started[-1]

        yield start_and_note
        for server in started:
            server.stop()

    def test_the_password_is_needed_and_kept_from_others(
        self, start: Callable[[Path], PostgresServer], folder: Path
    ) -> None:
        server = start(folder)
        with pytest.raises(psycopg2.OperationalError, match="password"):
            connect(server, password="wrong")
        kept = folder / "password"
        assert kept.read_text() == server.password
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    def test_a_stale_number_that_somebody_has_now_does_not_hinder(
        self, start: Callable[[Path], PostgresServer], folder: Path
    ) -> None:
        start(folder).stop()
        # A process of the server's own account is what PostgreSQL would take for a living server.
        owner = (folder / "data").stat().st_uid
        with subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None) as other:
            (folder / "data" / "postmaster.pid").write_text(
                f"{other.pid}\n{folder}/data\n1\n1\n\n127.0.0.1\n1 1\nready\n"
            )
            try:
                assert start(folder).is_alive()
                assert other.poll() is None
            finally:
                other.kill()

    def test_a_cluster_that_was_made_by_half_is_made_anew(
        self, start: Callable[[Path], PostgresServer], folder: Path
    ) -> None:
        (folder / "data.unfinished" / "base").mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "password.unfinished").touch()
        assert connect(start(folder))
        assert not (folder / "data.unfinished").exists()
        assert not (folder / "password.unfinished").exists()

    def test_durable_is_the_rule(self, folder: Path) -> None:
        server = start_postgres(folder)
        try:
            connection = connect(server)
            with connection, connection.cursor() as cursor:
                cursor.execute("select current_setting('fsync'), current_setting('listen_addresses')")
                assert cursor.fetchall() == [("on", "127.0.0.1")]
            connection.close()
        finally:
            server.stop()

    @only_as_root
    def test_the_server_does_not_run_as_root(self, start: Callable[[Path], PostgresServer], folder: Path) -> None:
        assert Path(f"/proc/{start(folder).pid}").stat().st_uid != 0

    @only_as_root
    def test_a_closed_parent_folder_stays_closed_and_the_data_go_elsewhere(
        self, start: Callable[[Path], PostgresServer], folder: Path
    ) -> None:
        folder.mkdir(mode=0o700)
        inner = folder / "instance" / "postgres"
        server = start(inner)
        elsewhere = Path(f"/proc/{server.pid}/cwd").readlink().parent
        try:
            write(server)
            server.stop()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert elsewhere.parent == ELSEWHERE
            assert str(elsewhere) in (inner / "where.txt").read_text()
            # The data stay where they are when the folder is opened later.
            folder.chmod(0o755)
            assert has_written(start(inner))
        finally:
            shutil.rmtree(elsewhere)

    @only_as_root
    def test_data_that_were_closed_off_later_are_not_replaced_by_empty_ones(
        self, start: Callable[[Path], PostgresServer], folder: Path
    ) -> None:
        folder.mkdir()
        folder.chmod(0o755)
        start(folder / "postgres").stop()
        folder.chmod(0o700)
        with pytest.raises(DatabaseDown, match="cannot be reached"):
            start(folder / "postgres")

    def test_without_programs_the_cure_is_named(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres_programs, "_candidates", lambda: iter(()))
        with pytest.raises(DatabaseDown) as caught:
            start_fast_postgres(folder)
        assert "MAO_POSTGRES_ADDRESS" in (caught.value.hint or "")

    def test_data_of_a_version_that_is_gone_are_left_alone(self, folder: Path) -> None:
        (folder / "data").mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "data" / "PG_VERSION").write_text("9\n")
        with pytest.raises(DatabaseDown, match="PostgreSQL 9"):
            start_fast_postgres(folder)
        assert (folder / "data" / "PG_VERSION").read_text() == "9\n"
