"""What a failed run wrote is kept apart, and the work tree is put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.errors import BackendFailed
from app.repositories import clone_quarantine
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import (
    ODD_NAMES,
    contents,
    pretend_a_death_at_work,
    repository_of,
)
from tests.integration.git_server import git


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
    assert git("log", "-1", "--format=%s", str(commit), cwd=tree) == "quarantine run 7"
    assert git("rev-parse", f"{commit}^^{{tree}}", f"{commit}^^", cwd=tree).split() == [baseline, head]
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
    assert git("rev-parse", f"{second}^^{{tree}}", f"{second}^^", cwd=tree).split() == [baseline, first]
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
