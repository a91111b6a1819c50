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


def test_servers_that_lie_get_nothing(server: EvilServer, ear: Ear, tmp_path: Path) -> None:
    assert _faults(server, ear, tmp_path, FEW) == []


@pytest.mark.long
def test_no_hostile_server_of_the_corpus_gets_anything(server: EvilServer, ear: Ear, tmp_path: Path) -> None:
    assert _faults(server, ear, tmp_path, list(SERVERS)) == []


def _faults(server: EvilServer, ear: Ear, folder: Path, names: Sequence[str]) -> list[str]:
    """Clone from each of the servers, and give what one of them got, or what was said otherwise than it should be."""
    watched = watch(folder, [server.url(name) for name in names], allow_local=True, seconds=3)
    answers = zip(names, watched.results, strict=True)
    faults = [f"{name}: {fault}" for name, result in answers for fault in _faults_of(result, folder)]
    if watched.connections != {("127.0.0.1", server.port)} or ear.heard:
        faults.append(f"connected to {watched.connections}, and the ear heard {ear.heard}")
    # Who asks for a password is answered by /bin/false.
    if others := watched.programs - {"prlimit", "env", "git", "git-remote-http", "false"}:
        faults.append(f"started {others}")
    if left := [*parts_of(folder / "clones"), *(folder / "clones/.git-dirs/.home").iterdir()]:
        faults.append(f"left {left}")
    return faults


def _faults_of(result: dict[str, str], folder: Path) -> Iterator[str]:
    if set(result) != {"clone"}:
        yield f"more than a clone came of it: {result}"
    said = result.get("clone", "")
    if not said.startswith(("BackendFailed: ", "RemoteDown: ")):
        yield f"not given up: {said!r}"
    if not said.isprintable() or len(said) >= 400 or str(folder) in said:
        yield f"no plain words: {said!r}"
