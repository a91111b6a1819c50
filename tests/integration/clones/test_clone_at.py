"""Clones of one commit, made from what is here already or from the remote."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from app.errors import BackendFailed, Conflict, Invalid, WrongState
from app.repositories import clone_snapshot
from app.repositories.clone_remote import RefreshResult
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import ROOT, contents, noise, parts_of, wait_until
from tests.integration.git_server import GitServer, Origin, git, processes_that_name


@pytest.fixture
def first(origin: Origin) -> str:
    """The first commit, which is not the newest."""
    first = git("rev-parse", "HEAD", cwd=origin.desk)
    origin.push({"control-2.csv": "2\n", "control-1.csv": "changed\n"})
    return first


def _packs(importdir: Path, name: str) -> set[int]:
    folder = importdir / f".git-dirs/{name}.git/objects"
    return {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def test_a_clone_of_one_commit_has_its_files_and_follows_nothing(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str
) -> None:
    assert workdirs.clone_at("then", server.url("data"), first) == first
    tree = workdirs.path("then")
    assert contents(tree) == {"control-1.csv": b"1\n", "folder/old.csv": b"old\n", ".gitignore": b"*.cache\n"}
    asked = len(server.requests)
    assert workdirs.refresh("then", server.url("data"), "main") == RefreshResult(first)
    assert workdirs.clone("then", server.url("data")) == first
    assert workdirs.clone_at("then", server.url("data"), first) == first
    assert len(server.requests) == asked, "a clone of one commit needs its remote no more"
    state = workdirs.state("then")
    assert (state.head, state.branch, state.has_uncommitted, state.unpushed_commits) == (first, "", False, 0)
    assert git("status", "--porcelain", cwd=tree) == ""
    workdirs.remove("then")


def test_objects_that_are_here_are_neither_fetched_nor_stored_twice(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str
) -> None:
    workdirs.clone("data", server.url("data"))
    (workdirs.path("data") / "mine.csv").write_text("never pushed\n")
    mine = workdirs.commit("data", "sync", {}, 1)
    asked = len(server.requests)
    assert workdirs.clone_at("then", server.url("data"), first) == first
    assert len(server.requests) == asked
    assert _packs(importdir, "then") <= _packs(importdir, "data")
    state = workdirs.state("then")
    assert (state.url, state.unpushed_commits) == (server.url("data"), 0)
    assert git("for-each-ref", "--format=%(refname)", "refs/heads/", cwd=workdirs.path("then")) == ""
    assert workdirs.clone_at("mine", server.url("data"), str(mine)) == mine
    with pytest.raises(WrongState, match="1 commit"):
        workdirs.remove("mine")


def test_a_copy_outlives_the_clone_that_it_was_made_from(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str
) -> None:
    workdirs.clone("data", server.url("data"))
    workdirs.clone_at("then", server.url("data"), first)
    workdirs.remove("data")
    tree = workdirs.path("then")
    git("fsck", "--full", "--strict", cwd=tree)
    (tree / "control-1.csv").write_text("more\n")
    baseline = workdirs.baseline("then")
    assert workdirs.quarantine("then", baseline, 1) is None


def test_a_clone_of_another_address_gives_nothing(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str
) -> None:
    workdirs.clone("data", str(origin.bare))
    assert workdirs.clone_at("then", server.url("data"), first) == first
    assert not _packs(importdir, "then") & _packs(importdir, "data")


def test_a_commit_that_no_branch_has_any_more_is_asked_for_by_its_id(
    server: GitServer, origin: Origin, workdirs: Workdirs
) -> None:
    lost = origin.push({"lost.csv": "1\n"})
    git("reset", "-q", "--hard", "HEAD^", cwd=origin.desk)
    origin.push({"other.csv": "1\n"}, "other", "--force")
    with pytest.raises(BackendFailed, match="has no commit"):
        workdirs.clone_at("then", server.url("data"), "1" * 40)
    git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=origin.bare)
    assert workdirs.clone_at("then", server.url("data"), lost) == lost
    assert workdirs.state("then").unpushed_commits == 0
    assert (workdirs.path("then") / "lost.csv").exists()


@pytest.mark.parametrize("commit", ["", "HEAD", "main", "abc", "-x" * 20, "A" * 40, "1" * 41, "1" * 40 + "\n"])
def test_what_is_no_whole_id_is_refused(workdirs: Workdirs, importdir: Path, origin: Origin, commit: str) -> None:
    with pytest.raises(Invalid):
        workdirs.clone_at("then", str(origin.bare), commit)
    assert not importdir.exists()


def test_what_is_there_and_something_else_is_a_conflict(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str
) -> None:
    head = workdirs.clone("data", server.url("data"))
    with pytest.raises(Conflict, match="not one of commit"):
        workdirs.clone_at("data", server.url("data"), head)
    workdirs.clone_at("then", server.url("data"), first)
    with pytest.raises(Conflict, match="not one of commit"):
        workdirs.clone_at("then", server.url("data"), head)
    with pytest.raises(Conflict, match="another address"):
        workdirs.clone_at("then", server.url("other"), first)


@pytest.mark.parametrize("cut", ["copied", "settled", "placed"])
def test_a_copy_that_was_cut_short_is_made_again(
    server: GitServer,
    origin: Origin,
    workdirs: Workdirs,
    importdir: Path,
    first: str,
    cut: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workdirs.clone("data", server.url("data"))
    step = {"copied": "_settle", "settled": "place", "placed": "remove_folder"}[cut]
    real = getattr(clone_snapshot, step)

    def killed(*arguments: object) -> None:
        if cut == "placed" and not (importdir / ".git-dirs/then.git").exists():
            real(*arguments)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(clone_snapshot, step, killed)
    with pytest.raises(KeyboardInterrupt):
        workdirs.clone_at("then", server.url("data"), first)
    monkeypatch.undo()
    assert not workdirs.exists("then")
    assert workdirs.clone_at("then", server.url("data"), first) == first
    assert parts_of(importdir) == {"data", "data.git", "then", "then.git"}


def test_an_agent_that_is_killed_while_it_fetches_a_commit_leaves_nothing_that_hinders_the_next(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str
) -> None:
    origin.push({"noise.bin": noise(3_000_000)})
    server.gate.clear()
    program = f"""
        from pathlib import Path
        from app.repositories.workdirs import Workdirs
        from app.settings import Git
        Workdirs(Git(allow_local=True), Path({str(importdir)!r})).clone_at("then", {server.url("data")!r}, {first!r})
    """
    agent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT)
    packs = importdir / ".git-dirs/.new-then/.git/objects/pack"
    wait_until(lambda: any(path.stat().st_size > 100_000 for path in packs.glob("tmp_*")), "half of it had arrived")
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    server.gate.set()
    assert workdirs.clone_at("then", server.url("data"), first) == first
    assert parts_of(importdir) == {"then", "then.git"}
    wait_until(lambda: processes_that_name(server.url("data")) == [], "the orphan had ended")


def test_many_copies_at_once_neither_wait_for_ever_nor_mix(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str
) -> None:
    workdirs.clone("data", server.url("data"))
    heads: list[str] = []

    def make(number: int) -> None:
        heads.append(workdirs.clone_at(f"then-{number % 3}", server.url("data"), first))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heads == [first] * 6
