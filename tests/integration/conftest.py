"""The real services: an address in ``MAO_TEST_*`` wins, else an embedded one is started.

======================================  ==========================================================================
``MAO_TEST_POSTGRES_ADDRESS``           host:port of a server whose user may make databases
``MAO_TEST_POSTGRES_USER, _PASSWORD``   the login, by default ``mao`` without a password
``MAO_TEST_POSTGRES_DATABASE``          an existing database to connect to for making others, by default ``postgres``
``MAO_TEST_ETCD_ADDRESS``               host:port of an etcd with nothing below ``/mao``
``MAO_TEST_DOCKER_SOCKET``              the container engine, by default ``unix:///var/run/docker.sock``
``MAO_TEST_REQUIRE_DOCKER=1, CI=true``  tests that need an engine fail where none answers
======================================  ==========================================================================
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import docker
import psycopg2
import pytest

from app.embedded import start_etcd, start_postgres
from app.errors import MaoError
from app.repositories import database
from app.repositories.etcd import EtcdKv
from app.settings import Etcd, Settings, load
from tests.integration.clones.programs import MISSING
from tests.integration.images import SOCKET
from tests.integration.memory import memory_folder

_NO_DOCKER = "no container engine answers"
_DOCKER_CURE = "start one, or name its socket with MAO_TEST_DOCKER_SOCKET"


class PostgresAddress(Protocol):
    """What the tests know of a PostgreSQL server, theirs or another's."""

    address: str
    user: str
    password: str
    database: str


class ForeignPostgres:
    """The server that the environment names."""

    def __init__(self) -> None:
        self.address = os.environ["MAO_TEST_POSTGRES_ADDRESS"]
        self.user = os.environ.get("MAO_TEST_POSTGRES_USER", "mao")
        self.password = os.environ.get("MAO_TEST_POSTGRES_PASSWORD", "")
        self.database = os.environ.get("MAO_TEST_POSTGRES_DATABASE", "postgres")


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    """A folder that the servers' account can enter, which pytest's own is not."""
    folder = memory_folder("mao-test-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(services_folder: Path) -> Iterator[PostgresAddress]:
    if "MAO_TEST_POSTGRES_ADDRESS" in os.environ:
        yield ForeignPostgres()
        return
    try:
        server = start_postgres(services_folder / "postgres", is_durable=False)
    except MaoError as error:
        pytest.fail(f"These tests need PostgreSQL. {error} {error.hint}", pytrace=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def etcd_address(services_folder: Path) -> Iterator[str]:
    if "MAO_TEST_ETCD_ADDRESS" in os.environ:
        yield os.environ["MAO_TEST_ETCD_ADDRESS"]
        return
    try:
        server = start_etcd(services_folder / "etcd", is_durable=False)
    except MaoError as error:
        pytest.fail(f"These tests need etcd. {error} {error.hint}", pytrace=False)
    yield server.address
    server.stop()


@pytest.fixture(scope="session")
def _empty_etcd(etcd_address: str) -> EtcdKv:
    kv = EtcdKv(Etcd(address=etcd_address))
    if kv.list("/mao", limit=1):
        pytest.fail(f"etcd at {etcd_address} holds entries below /mao, which tests would delete.", pytrace=False)
    return kv


@pytest.fixture
def kv(_empty_etcd: EtcdKv) -> Iterator[EtcdKv]:
    """The real etcd with nothing below ``/mao``."""
    yield _empty_etcd
    for entry in _empty_etcd.list("/mao", limit=100_000):
        _empty_etcd.delete(entry.key, entry.revision)


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresAddress) -> Iterator[str]:
    """The name of an empty database that the real migrations made."""
    name = f"mao_test_template_{secrets.token_hex(4)}"
    _execute(postgres_server, f'create database "{name}"')
    database.migrate(database_url_of(postgres_server, name))
    yield name
    _execute(postgres_server, f'drop database "{name}" with (force)')


@contextmanager
def _a_database(server: PostgresAddress, template: str) -> Iterator[str]:
    name = f"mao_test_{secrets.token_hex(4)}"
    _execute(server, f'create database "{name}" template "{template}"')
    yield name
    _execute(server, f'drop database "{name}" with (force)')


@pytest.fixture
def database_name(postgres_server: PostgresAddress, template_database: str) -> Iterator[str]:
    """The name of a migrated database that this test has for itself."""
    with _a_database(postgres_server, template_database) as name:
        yield name


@pytest.fixture
def database_url(postgres_server: PostgresAddress, database_name: str) -> str:
    return database_url_of(postgres_server, database_name)


@pytest.fixture
def other_database_url(postgres_server: PostgresAddress, template_database: str) -> Iterator[str]:
    """The database of a second node."""
    with _a_database(postgres_server, template_database) as name:
        yield database_url_of(postgres_server, name)


@pytest.fixture(scope="session")
def node() -> str:
    """A node's name that no other run of the tests has, so that containers of two runs keep apart."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def settings(
    postgres_server: PostgresAddress, database_name: str, kv: EtcdKv, etcd_address: str, node: str, tmp_path: Path
) -> Settings:
    """Settings of an installation of its own: a fresh database, an empty registry, an instance folder."""
    return load(
        {
            "MAO_WORKING_ENVIRONMENT_NODE": node,
            "MAO_WORKING_ENVIRONMENT_USER": "tester",
            "MAO_POSTGRES_ADDRESS": postgres_server.address,
            "MAO_POSTGRES_DATABASE": database_name,
            "MAO_POSTGRES_USER": postgres_server.user,
            "MAO_POSTGRES_PASSWORD": postgres_server.password,
            "MAO_ETCD_ADDRESS": etcd_address,
            "MAO_DOCKER_SOCKET": docker_address(),
            "MAO_GIT_ALLOW_LOCAL": "yes",
        },
        tmp_path / "instance",
    )


@pytest.fixture(scope="session")
def docker_socket() -> str:
    """The address of a container engine that answers."""
    if (problem := docker_problem()) is not None:
        pytest.fail(f"{_NO_DOCKER}: {problem}; {_DOCKER_CURE}", pytrace=False)
    return docker_address()


def database_url_of(server: PostgresAddress, name: str) -> str:
    environ = {
        "MAO_POSTGRES_ADDRESS": server.address,
        "MAO_POSTGRES_DATABASE": name,
        "MAO_POSTGRES_USER": server.user,
        "MAO_POSTGRES_PASSWORD": server.password,
    }
    return load(environ, Path("/nonexistent")).database_url


def docker_address() -> str:
    return SOCKET


@functools.cache
def docker_problem() -> str | None:
    """Say why no container engine answers, or None where one does."""
    try:
        client = docker.DockerClient(base_url=docker_address(), timeout=5)
        client.ping()
        client.close()
    except docker.errors.DockerException as error:
        return str(error)
    return None


def _execute(server: PostgresAddress, statement: str) -> None:
    host, port = server.address.rsplit(":", 1)
    connection = psycopg2.connect(
        host=host, port=port, user=server.user, password=server.password, dbname=server.database
    )
    try:
        # A database can be made outside a transaction only.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") is None or (problem := docker_problem()) is None:
        return
    if os.environ.get("CI") == "true" or os.environ.get("MAO_TEST_REQUIRE_DOCKER") == "1":
        pytest.fail(f"{_NO_DOCKER}: {problem}; {_DOCKER_CURE}", pytrace=False)
    pytest.skip(_NO_DOCKER)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missed = [report for report in terminalreporter.stats.get("skipped", []) if _NO_DOCKER in str(report.longrepr)]
    if missed:
        terminalreporter.section("CONTAINERS WERE NOT TESTED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(missed)} tests did not run, because {_NO_DOCKER}.")
        terminalreporter.line(f"The cure: {_DOCKER_CURE}. With CI=true they fail instead.")
    unwatched = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    unwatched = [reason for reason in unwatched if MISSING in reason]
    if unwatched:
        terminalreporter.section("REMOTES WERE NOT TESTED IN FULL", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(unwatched)} tests did not run, because a program {MISSING}; the skips name it.")
        terminalreporter.line("With CI=true they fail instead.")
