"""Servers that speak git's protocol until they are trusted, and then serve files, which git checks less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import BackendFailed
from app.repositories.git_code import check_out
from app.repositories.git_command import GitCommand
from app.repositories.workdirs import Workdirs
from tests.integration.clones.evil_trees import CASES, Evil
from tests.integration.clones.sights import SETTINGS, contents, parts_of
from tests.integration.git_server import GitServer, Origin, git

FEW = ["git's folder", "git's folder as a link", "the folder above", "a path up as name", "a link as modules"]
NEVER = {
    *(name for name in CASES if name.startswith("git's folder") and "blank" not in name),
    *("the folder above", "the folder itself", "no name", "a path up as name", "a whole path as name"),
}
"""What is never written, whoever offers it."""
OTHERS = {
    *("a bomb of trees", "a bomb of zeros", "a hundred thousand files", "twenty thousand branches"),
    "a branch that is a file",
}
"""What takes too long as files, or cannot come after a good commit."""
SECRET = "nobody-may-read-this"


@pytest.fixture
def two_faced(server: GitServer, origin: Origin) -> Iterator[GitServer]:
    git("update-server-info", cwd=origin.bare)
    server.two_faced.add("data")
    yield server
    assert "GET /data.git/HEAD" in server.requests, "git never asked for files"


def test_nothing_is_cloned_from_a_server_that_turns_into_one_of_files(
    two_faced: GitServer, workdirs: Workdirs, importdir: Path
) -> None:
    with pytest.raises(BackendFailed, match="does not speak git's protocol"):
        workdirs.clone("data", two_faced.url("data"))
    assert parts_of(importdir) == set()
    two_faced.requests.append("GET /data.git/info/refs")
    with pytest.raises(BackendFailed, match="does not speak git's protocol"):
        workdirs.clone_at("then", two_faced.url("data"), "1" * 40)
    assert parts_of(importdir) == set()


def test_no_code_is_taken_from_a_server_of_files(two_faced: GitServer, origin: Origin, tmp_path: Path) -> None:
    command = GitCommand(SETTINGS, tmp_path / "home")
    for branch in ("main", ""):
        two_faced.requests[:] = ["GET /data.git/info/refs"]
        with pytest.raises(BackendFailed):
            check_out(command, SETTINGS, tmp_path / "code", two_faced.url("data"), branch, "")
        assert not (tmp_path / "code").exists()


def _got_through(server: GitServer, origin: Origin, folder: Path, name: str) -> list[str]:
    """Let the server of a good clone offer this evil next, in a form that is not checked, and give what it got."""
    workdirs = Workdirs(SETTINGS, folder / "clones")
    workdirs.clone("data", server.url("data"))
    before = contents(workdirs.path("data"))
    evil = Evil(origin.bare, folder / "canary", folder / "secret")
    evil.secret.write_text(SECRET)
    good = git("rev-parse", "main", cwd=origin.bare)
    CASES[name](evil)
    tree = git("rev-parse", "main^{tree}", cwd=origin.bare)
    evil.ref("refs/heads/main", evil.commit(tree, good))
    git("update-server-info", cwd=origin.bare)
    del server.requests[:]
    server.two_faced.add("data")
    try:
        workdirs.refresh("data", server.url("data"))
    except BackendFailed as error:
        assert str(folder) not in error.message, name
    # Whoever works in it next puts back what was begun.
    workdirs.head("data")
    there = contents(workdirs.path("data"))
    assert any("/objects/" in request for request in server.requests), "git never asked for files"
    evils = {
        "it changed the data": there != before and name in NEVER,
        "it ran a command": evil.canary.exists(),
        "it made a link": any(path.is_symlink() for path in folder.rglob("*")),
        "it read a secret": any(SECRET.encode() in data for data in there.values()),
    }
    return [evil for evil, has_come in evils.items() if has_come]


@pytest.mark.parametrize("name", FEW)
def test_what_comes_as_files_is_checked_when_it_is_written(
    server: GitServer, origin: Origin, tmp_path: Path, name: str
) -> None:
    assert _got_through(server, origin, tmp_path, name) == []


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(CASES.keys() - OTHERS))
def test_nothing_of_the_corpus_gets_anything_as_files(
    server: GitServer, origin: Origin, tmp_path: Path, name: str
) -> None:
    assert _got_through(server, origin, tmp_path, name) == []
