"""Receivers that are closed after the test, and a name server that says what the test wants."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.repositories import addresses
from app.repositories.database import Database
from tests.integration.notifications.receivers import NAME, Authority, Receiver, make_authority


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=10)
    yield made
    made.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "keys")


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Make receivers."""
    made: list[Receiver] = []

    def receiver(**options: Any) -> Receiver:
        made.append(Receiver(**options))
        return made[-1]

    yield receiver
    for one in made:
        one.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the name server says: of each name its addresses, one more of them for each question."""
    known: dict[str, list[str]] = {NAME: ["127.0.0.1"]}

    ask_the_system = socket.getaddrinfo

    def ask(host: str, port: int, *others: Any, **options: Any) -> list[Any]:
        if host[0].isdigit():
            return list(ask_the_system(host, port, *others, **options))
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answer = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer.split()]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", ask)
    return known
