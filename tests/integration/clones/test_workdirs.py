"""Clones: what can be read from them, what is committed to them, and how they go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from app.errors import Conflict, Invalid, NotFound, WrongState
from app.repositories.workdirs import CloneFacts, Workdirs
from tests.integration.clones.sights import (
    ODD_NAMES,
    SETTINGS,
    pretend_a_death_at_work,
)
from tests.integration.git_server import Origin, git


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


def test_added_and_modified_files_are_listed_whatever_their_names(workdirs: Workdirs, tree: Path) -> None:
    (tree / "leftover.csv").write_text("before\n")
    baseline = workdirs.baseline("data")
    assert workdirs.changed_since("data", baseline).paths == []
    for name in ODD_NAMES:
        (tree / name).write_text(name)
    (tree / "control-1.csv").write_text("2\n")
    (tree / "folder/old.csv").unlink()
    (tree / "some.cache").touch()
    assert sorted(workdirs.changed_since("data", baseline).paths) == sorted([*ODD_NAMES, "control-1.csv"])


def test_a_name_that_is_no_utf_8_is_listed_and_can_be_opened(workdirs: Workdirs, tree: Path) -> None:
    baseline = workdirs.baseline("data")
    (tree / os.fsdecode(b"caf\xe9.csv")).write_text("1\n")
    [name] = workdirs.changed_since("data", baseline).paths
    assert (tree / name).read_text() == "1\n"


def test_a_change_that_keeps_length_and_time_is_seen(workdirs: Workdirs, tree: Path) -> None:
    path = tree / "control-1.csv"
    before = path.stat()
    baseline = workdirs.baseline("data")
    path.write_text("2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert workdirs.changed_since("data", baseline).paths == ["control-1.csv"]


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


def test_a_commit_of_another_node_with_the_same_number_is_not_taken_for_ours(workdirs: Workdirs, tree: Path) -> None:
    (tree / "theirs.csv").write_text("1\n")
    theirs = workdirs.commit("data", "sync", {"Mao-Node": "other"}, 7)
    (tree / "ours.csv").write_text("2\n")
    ours = workdirs.commit("data", "sync", {"Mao-Node": "this"}, 7, input_commit=theirs)
    assert ours not in (None, theirs)
    assert workdirs.commit("data", "sync", {"Mao-Node": "this"}, 7, input_commit=theirs) == ours
