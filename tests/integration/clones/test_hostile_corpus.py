"""Every repository of ``evil_trees`` is used as a data set, under watch: nothing of it runs, leads out or hangs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.clones.evil_trees import CASES, Evil
from tests.integration.clones.watched import Watched, watch
from tests.integration.git_server import GitServer, git

PROGRAMS = {"prlimit", "env", "git", "git-remote-http", "git-upload-pack"}
SECRET = "what is outside of the repository"

# The few that say most are tried each time; the whole corpus is a matter of a minute.
FEW = ["git's folder", "a link out", "a module that is a command", "attributes that run filters", "hooks"]
REFUSED = {
    *(name for name in CASES if name.startswith("git's folder") and "blank" not in name),
    *(
        "the folder above",
        "the folder itself",
        "no name",
        "a path as name",
        "a path up as name",
        "a whole path as name",
    ),
    *("names out of order", "one name twice", "a link and a folder of one name", "a link as modules"),
    *("a module that is a command", "a module that is an option", "a module with a path that is an option"),
    *("a module with a name that goes up", "attributes without end"),
    *("a bomb of trees", "a bomb of zeros", "deep folders", "a name that is too long", "a branch that is a file"),
    *("a tree that names what is not there", "a file that is a tree", "a folder that is a file"),
    *("a commit without an author", "a commit with parents that are not there"),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as server:
        yield server


def _used(server: GitServer, folder: Path, names: Sequence[str]) -> Watched:
    """Make the repositories of these names, and let the product use them."""
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text(SECRET)
    urls = []
    for number, name in enumerate(names):
        bare = server.root / f"evil-{number}.git"
        bare.parent.mkdir(exist_ok=True)
        git("init", "-q", "--bare", bare, cwd=server.root)
        CASES[name](Evil(bare, outside / "canary", outside / "secret"))
        urls.append(server.url(f"evil-{number}"))
    return watch(folder, urls, allow_local=True)


def _check(server: GitServer, folder: Path, names: Sequence[str], watched: Watched) -> None:
    results: Mapping[str, Mapping[str, str]] = dict(zip(names, watched.results, strict=True))
    assert watched.programs <= PROGRAMS
    assert watched.near() == {("127.0.0.1", urlsplit(server.url("x")).port)}
    assert watched.connections == watched.near()
    assert [path.name for path in (folder / "outside").iterdir()] == ["secret"], "something was written outside"
    assert {path.name for path in folder.iterdir()} == {"outside", "clones", "server", "strace.log"}
    cloned = {name for name, result in results.items() if result["clone"].startswith("ok")}
    assert sorted(cloned & REFUSED) == []
    for name, result in results.items():
        said = [text for text in result.values() if not text.startswith("ok")]
        assert str(folder) not in "".join(said), (name, said)
        assert name in cloned or set(result) == {"clone"}, f"{name} left something: {result}"
        assert name not in cloned or result["commit"].startswith("ok "), (name, result)
    for path in (folder / "clones").rglob("*"):
        assert not path.is_symlink(), path
        assert not path.is_file() or path.stat().st_size > 1e6 or SECRET.encode() not in path.read_bytes(), path


def test_repositories_that_nobody_made_by_accident_get_nothing(server: GitServer, tmp_path: Path) -> None:
    _check(server, tmp_path, FEW, _used(server, tmp_path, FEW))


@pytest.mark.long
def test_no_hostile_repository_of_the_corpus_gets_anything(server: GitServer, tmp_path: Path) -> None:
    names = list(CASES)
    _check(server, tmp_path, names, _used(server, tmp_path, names))


def test_the_watch_sees_what_it_is_to_see(server: GitServer, tmp_path: Path) -> None:
    watched = watch(tmp_path, [server.url("none"), "ext::sh -c true"], allow_local=True, unchecked=True)
    assert {"git", "env", "prlimit"} <= watched.programs
    assert watched.near() == {("127.0.0.1", urlsplit(server.url("x")).port)}
    assert all(set(result) == {"clone"} for result in watched.results)
