"""Work trees that tools write to: what is kept, what is refused, and what a kill leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from app.errors import BackendFailed, Conflict, Invalid, Locked, NotFound, WrongState
from app.repositories import clone_quarantine, clone_remote
from app.repositories.clone_repository import Places, Repository
from app.repositories.git_command import GitCommand
from app.repositories.workdirs import CloneFacts, Workdirs
from app.settings import Git
from tests.integration.git_server import Origin, git

SETTINGS = Git(allow_local=True, timeout_seconds=60, author_name="Node One", author_email="one@example.org")
ROOT = Path(__file__).parents[2]
ODD_NAMES = [
    "grün.csv",
    "two words.csv",
    "new\nline.csv",
    "tab\t.csv",
    '"quoted".csv',
    "-dash.csv",
    ":(top)x.csv",
    "名.csv",
]


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "origin/data.git")
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
    workdirs.clone("data", str(Origin(tmp_path / "origin/empty.git").bare))
    return workdirs.path("data")


def contents(tree: Path) -> dict[str, bytes]:
    """Every file of a work tree, ignored ones too, with what is in it."""
    files = (path for path in tree.rglob("*") if path.is_file() and path != tree / ".git")
    return {str(path.relative_to(tree)): path.read_bytes() for path in files}


def repository_of(importdir: Path) -> Repository:
    """What works inside a clone, for a test that takes the steps one by one."""
    return Repository(GitCommand(SETTINGS, importdir / ".git-dirs/.home"), Places(importdir, "data"), 0)


def pretend_a_death_at_work(importdir: Path) -> None:
    (importdir / ".git-dirs/data.lock").write_text("at work\n")


# Reading


def test_nothing_is_made_before_the_first_call(importdir: Path) -> None:
    workdirs = Workdirs(SETTINGS, importdir)
    assert workdirs.path("data") == importdir / "data"
    assert not workdirs.exists("data")
    assert not importdir.exists()


@pytest.mark.parametrize("name", ["..", ".git-dirs", "a/b", "", "/etc", "-x", "A", ".new-data", "a\n"])
def test_a_name_that_could_be_a_path_is_refused(workdirs: Workdirs, name: str) -> None:
    with pytest.raises(Invalid):
        workdirs.path(name)
    with pytest.raises(Invalid):
        workdirs.remove(name, is_forced=True)


def test_what_is_asked_of_a_missing_clone_is_not_found(workdirs: Workdirs) -> None:
    with pytest.raises(NotFound, match="no local clone of 'data'"):
        workdirs.baseline("data")
    with pytest.raises(NotFound):
        workdirs.state("data")


def test_the_state_of_a_clone_is_what_git_says(workdirs: Workdirs, tree: Path, origin: Origin) -> None:
    state = workdirs.state("data")
    expected = CloneFacts(
        head=git("rev-parse", "HEAD", cwd=origin.desk),
        branch="main",
        url=str(origin.bare),
        has_uncommitted=False,
        unpushed_commits=0,
        size_bytes=state.size_bytes,
    )
    assert state == expected
    (tree / "big.bin").write_bytes(b"x" * 1_000_000)
    workdirs.commit("data", "sync", {}, 1)
    after = workdirs.state("data")
    assert (after.has_uncommitted, after.unpushed_commits) == (False, 1)
    assert after.size_bytes >= state.size_bytes + 1_000_000


def test_a_clone_without_commits_has_an_empty_head(workdirs: Workdirs, empty_tree: Path) -> None:
    assert workdirs.head("data") == ""
    (empty_tree / "new.csv").touch()
    state = workdirs.state("data")
    assert (state.head, state.has_uncommitted, state.unpushed_commits) == ("", True, 0)


def test_git_used_by_hand_finds_its_folder_and_sees_a_clean_tree(
    workdirs: Workdirs, tree: Path, origin: Origin
) -> None:
    (origin.desk / "link").symlink_to("control-1.csv")
    origin.push({})
    workdirs.refresh("data", str(origin.bare))
    assert git("status", "--porcelain", cwd=tree) == ""
    assert git("log", "-1", "--format=%H", cwd=tree) == workdirs.head("data")


# What a run wrote


def test_added_and_modified_files_are_listed_whatever_their_names(workdirs: Workdirs, tree: Path) -> None:
    (tree / "leftover.csv").write_text("before\n")
    baseline = workdirs.baseline("data")
    assert workdirs.changed_since("data", baseline) == []
    for name in ODD_NAMES:
        (tree / name).write_text(name)
    (tree / "control-1.csv").write_text("2\n")
    (tree / "folder/old.csv").unlink()
    (tree / "some.cache").touch()
    assert sorted(workdirs.changed_since("data", baseline)) == sorted([*ODD_NAMES, "control-1.csv"])


def test_a_name_that_is_no_utf_8_is_listed_and_can_be_opened(workdirs: Workdirs, tree: Path) -> None:
    baseline = workdirs.baseline("data")
    (tree / os.fsdecode(b"caf\xe9.csv")).write_text("1\n")
    [name] = workdirs.changed_since("data", baseline)
    assert (tree / name).read_text() == "1\n"


def test_a_change_that_keeps_length_and_time_is_seen(workdirs: Workdirs, tree: Path) -> None:
    path = tree / "control-1.csv"
    before = path.stat()
    baseline = workdirs.baseline("data")
    path.write_text("2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert workdirs.changed_since("data", baseline) == ["control-1.csv"]


def test_a_baseline_changes_nothing_and_is_a_function_of_the_files(workdirs: Workdirs, tree: Path) -> None:
    (tree / "new.csv").write_text("1\n")
    status = git("status", "--porcelain", cwd=tree)
    baseline = workdirs.baseline("data")
    assert git("status", "--porcelain", cwd=tree) == status == "?? new.csv"
    (tree / "new.csv").unlink()
    assert workdirs.baseline("data") != baseline
    (tree / "new.csv").write_text("1\n")
    assert workdirs.baseline("data") == baseline


def test_contents_are_never_converted(workdirs: Workdirs, tree: Path) -> None:
    raw = b"a\r\nb\n\xff\xfe $Id$\r\n"
    (tree / ".gitattributes").write_text("* text=auto eol=lf ident working-tree-encoding=UTF-16\n")
    (tree / "raw.csv").write_bytes(raw)
    commit = workdirs.commit("data", "sync", {}, 1)
    shown = subprocess.run(["git", "cat-file", "blob", f"{commit}:raw.csv"], cwd=tree, capture_output=True, check=True)
    assert shown.stdout == raw


# Committing


def test_a_commit_holds_everything_and_says_where_it_came_from(workdirs: Workdirs, tree: Path) -> None:
    for name in ODD_NAMES:
        (tree / name).write_text(name)
    (tree / "folder/old.csv").unlink()
    trailers = {"Mao-Tool": "spike", "Mao-Image": "sha256:1\nMao-Run: 99", "Mao-Input": ""}
    commit = workdirs.commit("data", "sync 2026-01-31", trailers, 17)
    assert commit == workdirs.head("data")
    assert not workdirs.state("data").has_uncommitted
    assert git("log", "-1", "--format=%an <%ae>, %cn", cwd=tree) == "Node One <one@example.org>, Node One"
    assert git("log", "-1", "--format=%B", cwd=tree).splitlines() == [
        "sync 2026-01-31",
        "",
        "Mao-Run: 17",
        "Mao-Tool: spike",
        "Mao-Image: sha256:1 Mao-Run: 99",
    ]


def test_nothing_new_makes_no_commit(workdirs: Workdirs, tree: Path) -> None:
    head = workdirs.head("data")
    (tree / "only.cache").touch()
    assert workdirs.commit("data", "sync", {}, 1) is None
    assert workdirs.head("data") == head


def test_a_commit_that_is_repeated_is_the_same_commit(workdirs: Workdirs, tree: Path) -> None:
    (tree / "new.csv").touch()
    commit = workdirs.commit("data", "sync", {}, 1)
    assert workdirs.commit("data", "sync", {}, 1) == commit
    (tree / "next.csv").touch()
    assert workdirs.commit("data", "sync", {}, 11) != commit


def test_a_commit_that_was_cut_short_after_staging_is_completed(
    workdirs: Workdirs, tree: Path, importdir: Path
) -> None:
    (tree / "new.csv").touch()
    git("add", "-A", cwd=tree)
    (importdir / ".git-dirs/data.git/index.lock").touch()
    pretend_a_death_at_work(importdir)
    commit = workdirs.commit("data", "sync", {}, 1)
    assert git("show", "--name-only", "--format=", str(commit), cwd=tree) == "new.csv"


def test_a_lock_of_somebody_who_uses_git_by_hand_is_respected(workdirs: Workdirs, tree: Path, importdir: Path) -> None:
    (tree / "new.csv").touch()
    lock = importdir / ".git-dirs/data.git/index.lock"
    lock.touch()
    for _ in range(2):
        with pytest.raises(WrongState, match="Another git command"):
            workdirs.commit("data", "sync", {}, 1)
    assert lock.exists()


def test_the_first_commit_of_a_repository_can_be_ours(workdirs: Workdirs, empty_tree: Path) -> None:
    assert workdirs.commit("data", "sync", {}, 1) is None
    (empty_tree / "first.csv").write_text("1\n")
    commit = workdirs.commit("data", "sync", {}, 1)
    assert commit
    assert workdirs.state("data").unpushed_commits == 1


# Quarantine


def spoil(tree: Path) -> None:
    """Do what a run that fails may have done before."""
    (tree / "half.csv").write_text("half\n")
    (tree / "control-1.csv").write_text("spoilt\n")
    (tree / "leftover.csv").write_text("spoilt too\n")
    (tree / "folder/old.csv").unlink()
    (tree / "folder").rmdir()
    (tree / "deep/er").mkdir(parents=True)
    for name in ODD_NAMES:
        (tree / "deep/er" / name).write_text(name)


def test_a_failed_run_is_taken_out_and_what_lay_there_before_stays(workdirs: Workdirs, tree: Path) -> None:
    (tree / "leftover.csv").write_text("uncommitted, from before\n")
    (tree / "folder/old.csv").write_text("changed, from before\n")
    (tree / "my.cache").write_text("ignored\n")
    before, head = contents(tree), workdirs.head("data")
    baseline = workdirs.baseline("data")
    spoil(tree)
    spoilt = contents(tree)

    commit = workdirs.quarantine("data", baseline, 7)

    assert contents(tree) == before
    assert not (tree / "deep").exists()
    assert workdirs.baseline("data") == baseline
    assert workdirs.head("data") == head
    assert git("log", "-1", "--format=%P %s", str(commit), cwd=tree) == f"{head} quarantine run 7"
    assert git("rev-parse", "quarantine/7", cwd=tree) == commit
    names = git("ls-tree", "-r", "-z", "--name-only", str(commit), cwd=tree).split("\0")
    assert {name for name in names if name} == spoilt.keys() - {"my.cache"}
    assert git("show", f"{commit}:leftover.csv", cwd=tree) == "spoilt too"
    assert workdirs.state("data").unpushed_commits == 0


def test_a_run_that_left_nothing_needs_no_quarantine(workdirs: Workdirs, tree: Path) -> None:
    baseline = workdirs.baseline("data")
    (tree / "only.cache").touch()
    assert workdirs.quarantine("data", baseline, 7) is None
    assert clone_quarantine.branches(repository_of(tree.parent)) == []


def test_quarantine_works_before_the_first_commit(workdirs: Workdirs, empty_tree: Path) -> None:
    (empty_tree / "mine.csv").write_text("mine\n")
    baseline = workdirs.baseline("data")
    (empty_tree / "half.csv").write_text("half\n")
    commit = workdirs.quarantine("data", baseline, 7)
    assert contents(empty_tree) == {"mine.csv": b"mine\n"}
    assert git("show", f"{commit}:half.csv", cwd=empty_tree) == "half"
    assert workdirs.head("data") == ""


@pytest.mark.parametrize("cut", ["before", "after the branch", "after storing", "half restored", "restored"])
def test_a_quarantine_that_was_cut_short_is_completed_without_loss(
    workdirs: Workdirs, tree: Path, importdir: Path, cut: str
) -> None:
    (tree / "leftover.csv").write_text("uncommitted, from before\n")
    before, baseline = contents(tree), workdirs.baseline("data")
    spoil(tree)
    spoilt = workdirs.baseline("data")
    repository = repository_of(importdir)
    if cut != "before":
        clone_quarantine.store(repository, baseline, 7)
    if cut == "after the branch":
        repository.run("update-ref", "-d", "refs/mao/stored/7")
    if cut == "half restored":
        (tree / "half.csv").unlink()
        (tree / "control-1.csv").write_text("1\n")
    if cut == "restored":
        repository.restore(baseline)
    pretend_a_death_at_work(importdir)

    commit = workdirs.quarantine("data", baseline, 7)

    assert contents(tree) == before
    assert repository.tree_of(str(commit)) == spoilt
    assert workdirs.quarantine("data", baseline, 7) == commit


def test_a_second_attempt_of_a_run_adds_to_its_branch(workdirs: Workdirs, tree: Path) -> None:
    baseline = workdirs.baseline("data")
    (tree / "half.csv").write_text("first\n")
    first = workdirs.quarantine("data", baseline, 7)
    (tree / "half.csv").write_text("second\n")
    second = workdirs.quarantine("data", baseline, 7)
    assert git("log", "-1", "--format=%P", str(second), cwd=tree) == first
    assert git("show", f"{second}:half.csv", cwd=tree) == "second"


def test_a_run_cannot_hide_its_files_by_changing_what_is_ignored(workdirs: Workdirs, tree: Path) -> None:
    before, baseline = contents(tree), workdirs.baseline("data")
    (tree / ".gitignore").write_text("*\n")
    (tree / "hidden.csv").write_text("hidden\n")
    (tree / "-x.csv").write_text("hidden\n")
    commit = workdirs.quarantine("data", baseline, 7)
    assert contents(tree) == before
    assert git("show", f"{commit}:hidden.csv", cwd=tree) == "hidden"
    assert git("show", f"{commit}:.gitignore", cwd=tree) == "*"


def test_a_folder_that_became_a_file_and_a_file_that_became_a_folder_are_put_back(
    workdirs: Workdirs, tree: Path
) -> None:
    before, baseline = contents(tree), workdirs.baseline("data")
    (tree / "folder/old.csv").unlink()
    (tree / "folder").rmdir()
    (tree / "folder").write_text("a file now\n")
    (tree / "control-1.csv").unlink()
    (tree / "control-1.csv").mkdir()
    (tree / "control-1.csv/inner").touch()
    assert workdirs.quarantine("data", baseline, 7)
    assert contents(tree) == before


def test_what_git_cannot_keep_is_set_aside_so_that_the_next_run_can_start(
    workdirs: Workdirs, tree: Path, importdir: Path
) -> None:
    before, baseline = contents(tree), workdirs.baseline("data")
    git("init", "-q", "inner", cwd=tree)
    (tree / "inner/file.csv").write_text("1\n")
    (tree / "leak").symlink_to("/etc/passwd")
    (tree / "control-1.csv").unlink()
    os.mkfifo(tree / "control-1.csv")
    with pytest.raises(BackendFailed):
        workdirs.commit("data", "sync", {}, 7)

    commit = workdirs.quarantine("data", baseline, 7)

    assert contents(tree) == before
    assert git("show", f"{commit}:inner/file.csv", cwd=tree) == "1"
    assert len(list((importdir / ".git-dirs/data.refused").iterdir())) == 3
    assert workdirs.baseline("data") == baseline


# Hostile work trees


@pytest.mark.parametrize("name", ["inner/.git", "a/b/.GIT", ".Git"])
def test_a_repository_inside_the_data_is_refused(workdirs: Workdirs, tree: Path, name: str) -> None:
    (tree / name).mkdir(parents=True)
    for use in (lambda: workdirs.baseline("data"), lambda: workdirs.commit("data", "sync", {}, 1)):
        with pytest.raises(BackendFailed, match="a git repository inside the data set") as caught:
            use()
        assert caught.value.cause == "data_unavailable"
    assert workdirs.state("data").has_uncommitted


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "x/../../../outside", "up/../../..", "/nowhere"])
def test_a_link_that_leaves_the_tree_is_refused(workdirs: Workdirs, tree: Path, target: str) -> None:
    (tree / "folder/up").symlink_to("..")
    (tree / "folder/leak").symlink_to(target)
    with pytest.raises(BackendFailed, match="a link that leaves the data set: 'folder/leak'"):
        workdirs.baseline("data")


def test_a_link_inside_the_tree_is_data(workdirs: Workdirs, tree: Path) -> None:
    (tree / "folder/newest.csv").symlink_to("../control-1.csv")
    commit = workdirs.commit("data", "sync", {}, 1)
    assert git("show", f"{commit}:folder/newest.csv", cwd=tree) == "../control-1.csv"


@pytest.mark.parametrize("form", ["folder", "file", "link"])
def test_what_a_tool_writes_to_the_git_entry_changes_nothing_and_is_put_right(
    workdirs: Workdirs, tree: Path, tmp_path: Path, origin: Origin, form: str
) -> None:
    evil, canary = tmp_path / "evil", tmp_path / "canary"
    git("init", "-q", evil, cwd=tmp_path)
    (evil / "script").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (evil / "script").chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "filter.x.clean", "gpg.program"):
        git("config", key, str(evil / "script"), cwd=evil)
    for hook in ("pre-commit", "post-commit", "post-merge", "post-index-change", "reference-transaction"):
        (evil / ".git/hooks").mkdir(exist_ok=True)
        (evil / ".git/hooks" / hook).symlink_to(evil / "script")
    expected = (tree / ".git").read_text()
    (tree / ".git").unlink()
    if form == "folder":
        (evil / ".git").rename(tree / ".git")
    elif form == "file":
        (tree / ".git").write_text(f"gitdir: {evil}/.git\n")
    else:
        (tree / ".git").symlink_to(evil / ".git")
    (tree / ".gitattributes").write_text("* filter=x\n")
    workdirs.state("data")
    baseline = workdirs.baseline("data")
    (tree / "half.csv").touch()
    workdirs.quarantine("data", baseline, 1)
    commit = workdirs.commit("data", "sync", {}, 2)
    workdirs.refresh("data", str(origin.bare))

    assert not canary.exists()
    assert commit == workdirs.head("data")
    assert (tree / ".git").read_text() == expected


def test_no_hook_of_gits_own_folder_is_run(workdirs: Workdirs, tree: Path, importdir: Path, tmp_path: Path) -> None:
    canary, hooks = tmp_path / "canary", importdir / ".git-dirs/data.git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {canary}\n")
        (hooks / name).chmod(0o755)
    (tree / "new.csv").touch()
    assert workdirs.commit("data", "sync", {}, 1)
    assert not canary.exists()


def test_the_environment_of_this_process_does_not_reach_git(
    workdirs: Workdirs, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    for key, value in {
        "GIT_DIR": "/nonexistent",
        "GIT_INDEX_FILE": "/nonexistent/index",
        "GIT_AUTHOR_NAME": "Somebody Else",
        "GIT_EXTERNAL_DIFF": f"touch {canary}",
        "GIT_TRACE": str(canary),
        "MAO_POSTGRES_PASSWORD": "hunter2",
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("GIT_TRACE2_ENV_VARS", "MAO_POSTGRES_PASSWORD")
    (tree / "new.csv").touch()
    commit = workdirs.commit("data", "sync", {}, 1)
    monkeypatch.undo()
    assert git("log", "-1", "--format=%an", str(commit), cwd=tree) == "Node One"
    assert not canary.exists()


def test_five_thousand_files_are_committed_and_taken_out_again(workdirs: Workdirs, tree: Path) -> None:
    for number in range(5000):
        path = tree / f"day-{number % 50}/file-{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n")
    assert workdirs.commit("data", "sync", {}, 1)
    baseline = workdirs.baseline("data")
    for number in range(0, 5000, 2):
        (tree / f"day-{number % 50}/file-{number}.csv").write_text("spoilt\n")
    assert len(workdirs.changed_since("data", baseline)) == 2500
    assert workdirs.quarantine("data", baseline, 2)
    assert (tree / "day-0/file-0.csv").read_text() == "0\n"


# Removing


def test_a_clone_that_can_be_had_again_is_removed_without_a_question(
    workdirs: Workdirs, tree: Path, importdir: Path
) -> None:
    (tree / "some.cache").touch()
    workdirs.remove("data")
    assert not workdirs.exists("data")
    assert {path.name for path in (importdir / ".git-dirs").iterdir()} == {".home", "data.lock"}
    workdirs.remove("data")


def test_a_removal_names_what_would_be_lost(workdirs: Workdirs, tree: Path) -> None:
    baseline = workdirs.baseline("data")
    (tree / "half.csv").touch()
    workdirs.quarantine("data", baseline, 7)
    (tree / "new.csv").touch()
    workdirs.commit("data", "sync", {}, 8)
    (tree / "uncommitted.csv").touch()
    with pytest.raises(WrongState) as caught:
        workdirs.remove("data")
    for loss in ("1 uncommitted file", "1 commit", "quarantine/7"):
        assert loss in caught.value.message
    assert (tree / "uncommitted.csv").exists()
    workdirs.remove("data", is_forced=True)
    assert not tree.exists()


def test_a_removal_that_was_cut_short_can_be_completed_or_undone(
    workdirs: Workdirs, tree: Path, importdir: Path, origin: Origin
) -> None:
    (tree / "ours.csv").touch()
    commit = workdirs.commit("data", "sync", {}, 1)
    tree.rename(importdir / ".gone-data")
    pretend_a_death_at_work(importdir)
    assert not workdirs.exists("data")
    assert workdirs.clone("data", str(origin.bare)) == commit, "what was never pushed must not be lost"
    assert (tree / "ours.csv").exists()
    assert not (importdir / ".gone-data").exists()


def test_a_work_tree_that_is_read_only_can_be_removed(workdirs: Workdirs, tree: Path) -> None:
    (tree / "folder").chmod(0o500)
    tree.chmod(0o500)
    workdirs.remove("data")
    assert not tree.exists()


def test_a_folder_that_is_not_ours_is_never_taken_for_a_clone(
    workdirs: Workdirs, importdir: Path, origin: Origin
) -> None:
    (importdir / "data").mkdir(parents=True)
    (importdir / "data/precious.csv").write_text("mine\n")
    with pytest.raises(Conflict, match="not a clone of ours"):
        workdirs.clone("data", str(origin.bare))
    assert (importdir / "data/precious.csv").read_text() == "mine\n"


# Killed in the middle, and two at once


def test_a_move_forward_that_was_cut_short_is_undone_and_repeated(
    workdirs: Workdirs, tree: Path, importdir: Path, origin: Origin
) -> None:
    (tree / "mine.csv").write_text("uncommitted\n")
    repository = repository_of(importdir)
    state = repository.commit_tree(repository.tree_now(), repository.head(), "state")
    repository.run("update-ref", "refs/mao/before-forward", state)
    head = origin.push({"control-1.csv": "newer\n", "theirs.csv": "1\n"})
    # A killed git has written some of the newer files, and neither its index nor the branch.
    (tree / "control-1.csv").write_text("newer\n")
    (tree / "theirs.csv").write_text("1\n")
    (importdir / ".git-dirs/data.git/index.lock").touch()
    pretend_a_death_at_work(importdir)

    result = workdirs.refresh("data", str(origin.bare))

    assert result == clone_remote.RefreshResult(head)
    assert (tree / "mine.csv").read_text() == "uncommitted\n"
    assert git("status", "--porcelain", cwd=tree) == "?? mine.csv"


def test_a_move_forward_that_was_cut_short_after_its_end_is_kept(
    workdirs: Workdirs, tree: Path, importdir: Path, origin: Origin
) -> None:
    repository = repository_of(importdir)
    state = repository.commit_tree(repository.tree_now(), repository.head(), "state")
    head = origin.push({"theirs.csv": "1\n"})
    workdirs.refresh("data", str(origin.bare))
    repository.run("update-ref", "refs/mao/before-forward", state)
    pretend_a_death_at_work(importdir)
    assert workdirs.refresh("data", str(origin.bare)) == clone_remote.RefreshResult(head)
    assert (tree / "theirs.csv").exists()


def test_threads_take_turns_in_a_clone(workdirs: Workdirs, tree: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            (tree / f"file-{number}.csv").write_text(f"{number}\n")
            workdirs.commit("data", f"sync {number}", {}, number)
            workdirs.state("data")
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert workdirs.commit("data", "sync", {}, 99) is None
    assert len(list(tree.glob("file-*.csv"))) == 8


def test_another_process_at_work_is_waited_for_and_then_named(tree: Path, importdir: Path) -> None:
    program = f"""
        import sys
        from pathlib import Path
        from app.repositories.clone_locks import CloneLocks
        with CloneLocks(Path({str(importdir / ".git-dirs")!r}), 1).held("data"):
            print("held", flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == b"held\n"
        impatient = Workdirs(Git(allow_local=True, timeout_seconds=1), importdir)
        with pytest.raises(Locked, match="Another process is at work in the clone of 'data'"):
            impatient.baseline("data")
        other.stdin.close()
    assert impatient.baseline("data")
