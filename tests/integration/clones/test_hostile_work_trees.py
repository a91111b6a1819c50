"""Tools that write what they should not, kills in the middle, and two at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from app.errors import BackendFailed, Locked
from app.repositories import clone_remote
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.clones.sights import (
    ROOT,
    pretend_a_death_at_work,
    repository_of,
)
from tests.integration.git_server import Origin, git


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
    assert len(workdirs.changed_since("data", baseline).paths) == 2500
    assert workdirs.quarantine("data", baseline, 2)
    assert (tree / "day-0/file-0.csv").read_text() == "0\n"


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


def test_folders_too_deep_for_the_system_are_refused_and_set_aside(
    workdirs: Workdirs, tree: Path, importdir: Path
) -> None:
    baseline = workdirs.baseline("data")
    program = "import os\nfor _ in range(600):\n    os.mkdir('deeper-and-deeper')\n    os.chdir('deeper-and-deeper')\n"
    subprocess.run([sys.executable, "-c", program], cwd=tree / "folder", check=True)
    with pytest.raises(BackendFailed, match="a folder that is too deep for this machine: 'folder'"):
        workdirs.baseline("data")
    assert workdirs.state("data").has_uncommitted
    workdirs.quarantine("data", baseline, 7)
    assert workdirs.baseline("data") == baseline
    assert (tree / "folder/old.csv").exists()
    workdirs.remove("data", is_forced=True)
    assert not (importdir / ".git-dirs/data.refused").exists()
