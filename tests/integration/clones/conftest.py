"""Where the tests of clones work: a repository, a server that may serve it, and a folder for clones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.repositories import clone_remote
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import SETTINGS
from tests.integration.git_server import GitServer, Origin


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone_remote, "BACKOFF_SECONDS", (0.01, 0.01))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server", tokens={"reader": {"read"}}) as server:
        yield server


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with one commit, which the server serves as ``data``."""
    origin = Origin(tmp_path / "server/data.git")
    origin.push({"control-1.csv": "1\n", "folder/old.csv": "old\n", ".gitignore": "*.cache\n"})
    return origin


@pytest.fixture
def importdir(tmp_path: Path) -> Path:
    return tmp_path / "clones"


@pytest.fixture
def workdirs(importdir: Path) -> Workdirs:
    return Workdirs(SETTINGS, importdir)


@pytest.fixture
def tree(workdirs: Workdirs, origin: Origin) -> Path:
    """The work tree of the clone ``data``."""
    workdirs.clone("data", str(origin.bare))
    return workdirs.path("data")


@pytest.fixture
def empty_tree(workdirs: Workdirs, tmp_path: Path) -> Path:
    """The work tree of a clone of a repository without any commit, also called ``data``."""
    workdirs.clone("data", str(Origin(tmp_path / "server/empty.git").bare))
    return workdirs.path("data")
