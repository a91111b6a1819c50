"""Servers that answer git with anything but a repository: each is given up in time, in plain words, without a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.clones.evil_servers import SERVERS, EvilServer
from tests.integration.clones.sights import parts_of
from tests.integration.clones.test_hostile_addresses import Ear
from tests.integration.clones.watched import watch

FEW = ["sends garbage", "has a branch that goes up", "sends a pack with a wrong sum", "sends elsewhere", "breaks"]


@pytest.fixture
def ear() -> Iterator[Ear]:
    with closing(Ear()) as ear:
        yield ear


@pytest.fixture
def server(ear: Ear) -> Iterator[EvilServer]:
    with closing(EvilServer(ear.port)) as server:
        yield server


def _is_given_up(server: EvilServer, ear: Ear, folder: Path, names: Sequence[str]) -> None:
    watched = watch(folder, [server.url(name) for name in names], allow_local=True, seconds=3)
    for name, result in zip(names, watched.results, strict=True):
        said = result["clone"]
        assert set(result) == {"clone"}, (name, result)
        assert said.startswith(("BackendFailed: ", "RemoteDown: ")), (name, said)
        assert said.isprintable(), (name, said)
        assert len(said) < 400, (name, said)
        assert str(folder) not in said, (name, said)
    assert watched.connections == {("127.0.0.1", server.port)}
    assert ear.heard == 0
    # Who asks for a password is answered by /bin/false.
    assert watched.programs <= {"prlimit", "env", "git", "git-remote-http", "false"}
    assert parts_of(folder / "clones") == set()
    assert list((folder / "clones/.git-dirs/.home").iterdir()) == []


def test_servers_that_lie_get_nothing(server: EvilServer, ear: Ear, tmp_path: Path) -> None:
    _is_given_up(server, ear, tmp_path, FEW)


@pytest.mark.long
def test_no_hostile_server_of_the_corpus_gets_anything(server: EvilServer, ear: Ear, tmp_path: Path) -> None:
    _is_given_up(server, ear, tmp_path, list(SERVERS))
