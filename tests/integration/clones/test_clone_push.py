"""Pushing over HTTP: what lands, what a remote refuses, and remotes that hang or move meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import BackendFailed, Conflict, MaoError, RemoteDown, WrongState
from app.models.dataset import History
from app.repositories import clone_push, git_push
from app.repositories.clone_publishing import Target
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.clones.sights import contents, wait_until
from tests.integration.git_server import GitServer, Origin, git, processes_that_name

DAY = "2026-03-01"
Collect = Callable[[dict[str, str]], str]


@pytest.fixture
def url(server: GitServer, origin: Origin) -> str:
    """The address of a repository that the node's token may write to."""
    server.tokens |= {"writer": {"read", "write"}}
    return server.url("data")


@pytest.fixture
def workdirs(importdir: Path, tmp_path: Path, url: str) -> Workdirs:
    return Workdirs(_with_token("writer", url, tmp_path), importdir)


@pytest.fixture
def collect(workdirs: Workdirs, url: str) -> Collect:
    """Write files into the clone as a run does, and commit them."""
    workdirs.clone("data", url)
    made: list[str] = []

    def write(files: dict[str, str]) -> str:
        for name, content in files.items():
            (workdirs.path("data") / name).parent.mkdir(parents=True, exist_ok=True)
            (workdirs.path("data") / name).write_text(content)
        commit = workdirs.commit("data", f"sync {DAY}", {"Mao-Node": "n"}, len(made) + 1)
        made.append(str(commit))
        return made[-1]

    return write


def _with_token(token: str, url: str, folder: Path) -> Git:
    path = folder / f"token-of-{token}"
    path.touch(mode=0o600)
    path.write_text(url.replace("://", f"://someone:{token}@").rpartition("/")[0] + "\n")
    return Git(allow_local=True, timeout_seconds=60, credentials_file=str(path), author_name="Node One")


def _target(url: str, branch: str = "", **more: list[str]) -> Target:
    return Target(url, branch, "conflict/n/1", DAY, **more)


def _publish(workdirs: Workdirs, url: str, seconds: float = 60) -> dict[str, str]:
    published = workdirs.publish("data", _target(url), seconds)
    workdirs.mark_published("data", published)
    return dict(published.landed)


def _hook(origin: Origin, script: str) -> Path:
    hook = origin.bare / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    return hook


def _tip(origin: Origin) -> str:
    return git("rev-parse", "main", cwd=origin.bare)


def test_what_is_committed_is_pushed_as_it_is(workdirs: Workdirs, collect: Collect, url: str, origin: Origin) -> None:
    commits = [collect({"a.csv": "1\n"}), collect({"b.csv": "1\n"})]
    assert workdirs.state("data").unpushed_commits == 2
    assert _publish(workdirs, url) == dict(zip(commits, commits, strict=True))
    assert _tip(origin) == commits[-1]
    assert workdirs.state("data").unpushed_commits == 0
    assert _publish(workdirs, url) == {}


def test_the_first_commit_of_an_empty_repository_makes_its_branch(
    workdirs: Workdirs, server: GitServer, url: str
) -> None:
    empty = server.origin("empty")
    workdirs.clone("new", server.url("empty"))
    (workdirs.path("new") / "a.csv").write_text("1\n")
    commit = workdirs.commit("new", "sync", {}, 1)
    published = workdirs.publish("new", _target(server.url("empty")))
    assert published.landed == {commit: commit}
    assert _tip(empty) == commit


def test_on_top_of_others_a_commit_keeps_its_message_author_and_dates(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin
) -> None:
    ours = collect({"folder/new.csv": "1\n", "grün \n.csv": "1\n"})
    theirs = origin.push({"folder/theirs.csv": "1\n"})
    tree = workdirs.path("data")
    (tree / "uncommitted.csv").write_text("mine\n")
    before = contents(tree)

    landed = _publish(workdirs, url)[ours]

    assert _tip(origin) == landed != ours
    form = "--format=%an %ae %ad %cn %ce %cd %B"
    assert git("log", "-1", form, landed, cwd=origin.bare) == git("log", "-1", form, ours, cwd=tree)
    assert git("log", "-1", "--format=%P", landed, cwd=origin.bare) == theirs
    changed = git("diff-tree", "-r", "-z", "--name-only", theirs, landed, cwd=origin.bare)
    assert sorted(changed.strip("\0").split("\0")) == ["folder/new.csv", "grün \n.csv"]
    assert contents(tree) == before
    assert workdirs.head("data") == ours

    assert workdirs.refresh("data", url).head == landed
    assert contents(tree) == {**before, "folder/theirs.csv": b"1\n"}
    assert workdirs.state("data").unpushed_commits == 0


def test_a_local_file_that_is_in_the_way_of_the_remotes_is_kept(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin
) -> None:
    ours = collect({"a.csv": "1\n"})
    origin.push({"theirs.csv": "theirs\n"})
    (workdirs.path("data") / "theirs.csv").write_text("mine, uncommitted\n")
    _publish(workdirs, url)
    refreshed = workdirs.refresh("data", url)
    assert refreshed.head == ours
    assert "Local files stand in the way" in refreshed.warning
    assert (workdirs.path("data") / "theirs.csv").read_text() == "mine, uncommitted\n"


def test_the_same_file_with_the_same_contents_is_no_conflict(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin
) -> None:
    ours = collect({"a.csv": "1\n"})
    theirs = origin.push({"a.csv": "1\n"})
    landed = _publish(workdirs, url)[ours]
    assert git("log", "--format=%H", "-2", "main", cwd=origin.bare).split() == [landed, theirs]
    assert git("diff-tree", theirs, landed, cwd=origin.bare) == ""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"control-1.csv": "ours\n"}, {"control-1.csv": "theirs\n"}),
        ({"day": "a file\n"}, {"day/x.csv": "in a folder\n"}),
        ({"day/x.csv": "in a folder\n"}, {"day": "a file\n"}),
    ],
)
def test_a_conflict_leaves_both_sides_whole(
    workdirs: Workdirs,
    collect: Collect,
    url: str,
    origin: Origin,
    ours: dict[str, str],
    theirs: dict[str, str | bytes],
) -> None:
    collect({"beside.csv": "1\n"})
    collect(ours)
    head = origin.push(theirs)
    published = workdirs.publish("data", _target(url))
    workdirs.mark_published("data", published)

    assert _tip(origin) == head
    assert len(published.aside) == 2
    for name, content in {"beside.csv": "1\n", **ours}.items():
        assert git("show", f"conflict/n/1:{name}", cwd=origin.bare) == content.strip()
    assert repr(next(iter(ours))) in published.message
    assert workdirs.state("data").unpushed_commits == 0
    assert workdirs.refresh("data", url).head == head
    assert git("rev-parse", "conflict/n/1", cwd=workdirs.path("data")) == git(
        "rev-parse", "conflict/n/1", cwd=origin.bare
    )


def test_another_nodes_conflict_branch_of_the_same_name_stays(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin
) -> None:
    taken = git("commit-tree", "HEAD^{tree}", "-m", "another's conflict", cwd=origin.desk)
    git("push", "-q", "origin", f"{taken}:refs/heads/conflict/n/1", cwd=origin.desk)
    origin.push({"control-1.csv": "theirs\n"})
    ours = collect({"control-1.csv": "ours\n"})
    copy, branch = workdirs.publish("data", _target(url)).aside[ours]
    assert branch == f"conflict/n/1-{copy[:12]}"
    assert git("rev-parse", "conflict/n/1", branch, cwd=origin.bare).split() == [taken, copy]


def test_a_remote_that_moves_between_fetch_and_push_is_looked_at_again(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clone_push, "PAUSE_SECONDS", 0.001)
    ours = collect({"a.csv": "1\n"})
    push, others = git_push.push, iter(["x.csv", "y.csv"])

    def late(*arguments: object) -> bool:
        if name := next(others, ""):
            origin.push({name: "1\n"})
        return push(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(clone_push, "push", late)
    assert _publish(workdirs, url)[ours] == _tip(origin)
    assert git("log", "--format=%s", "main", cwd=origin.bare).split("\n")[:3] == [f"sync {DAY}", "data", "data"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'No data on Sundays' >&2; exit 1", "pre-receive hook declined. It says: No data on Sundays"),
        ("exit 1", "pre-receive hook declined."),
    ],
)
def test_what_a_hook_of_the_remote_says_is_passed_on(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin, script: str, words: str
) -> None:
    ours = collect({"a.csv": "1\n"})
    hook = _hook(origin, script)
    with pytest.raises(BackendFailed) as refusal:
        workdirs.publish("data", _target(url))
    assert words in refusal.value.message
    assert "'main'" in refusal.value.message
    assert refusal.value.cause == "data_unavailable"
    hook.unlink()
    assert _publish(workdirs, url) == {ours: ours}


def test_a_protected_branch_takes_no_push_and_keeps_no_trace_of_it(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin
) -> None:
    collect({"a.csv": "1\n"})
    refusal = "{ echo GH006: Protected >&2; exit 1; }"
    _hook(origin, f'while read old new ref; do test "$ref" != refs/heads/main || {refusal}; done')
    head = _tip(origin)
    with pytest.raises(BackendFailed, match="It says: GH006: Protected"):
        workdirs.publish("data", _target(url))
    assert _tip(origin) == head


@pytest.mark.parametrize("token", ["reader", "wrong"])
def test_a_token_that_may_not_write_is_named_as_the_cause(
    collect: Collect, importdir: Path, url: str, tmp_path: Path, token: str
) -> None:
    collect({"a.csv": "1\n"})
    with pytest.raises(BackendFailed, match="refused this node: its credentials are wrong or expired") as refusal:
        Workdirs(_with_token(token, url, tmp_path), importdir).publish("data", _target(url))
    assert refusal.value.cause == "data_unavailable"


def test_a_push_without_an_answer_is_bounded_and_landed_once_if_it_landed(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin, tmp_path: Path
) -> None:
    ours, release = collect({"a.csv": "1\n"}), tmp_path / "release"
    hook = _hook(origin, f"while ! test -e {release}; do sleep 0.05; done")
    with pytest.raises(RemoteDown, match="took more than"):
        workdirs.publish("data", _target(url), 2)
    assert not processes_that_name(str(workdirs.path("data")))
    release.touch()
    hook.unlink()
    assert workdirs.publish("data", _target(url, expected=[ours])).landed == {ours: ours}
    assert git("log", "--format=%s", "main", cwd=origin.bare).split("\n").count(f"sync {DAY}") == 1


def test_a_push_that_is_killed_half_way_can_be_repeated(
    workdirs: Workdirs, collect: Collect, url: str, origin: Origin, tmp_path: Path
) -> None:
    ours, begun, release = collect({"a.csv": "1\n"}), tmp_path / "begun", tmp_path / "release"
    hook = _hook(origin, f"touch {begun}; while ! test -e {release}; do sleep 0.05; done; exit 1")
    errors: list[MaoError] = []

    def publish() -> None:
        try:
            workdirs.publish("data", _target(url))
        except MaoError as error:
            errors.append(error)

    publishing = threading.Thread(target=publish)
    publishing.start()
    wait_until(begun.exists, "the push has reached the remote")
    for pid in processes_that_name(str(workdirs.path("data"))):
        os.kill(pid, signal.SIGKILL)
    release.touch()
    publishing.join(30)
    hook.unlink()
    assert len(errors) == 1
    assert _publish(workdirs, url) == {ours: ours}
    assert _tip(origin) == ours


@pytest.mark.parametrize("history", [History.BLOBLESS, History.SHALLOW])
@pytest.mark.parametrize("theirs", ["theirs.csv", "ours.csv"])
def test_a_clone_with_less_than_the_whole_past_publishes_too(
    workdirs: Workdirs, url: str, origin: Origin, history: History, theirs: str
) -> None:
    git("config", "uploadpack.allowFilter", "true", cwd=origin.bare)
    git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=origin.bare)
    origin.push({"control-1.csv": "2\n"})
    workdirs.clone("data", url, history=history)
    (workdirs.path("data") / "ours.csv").write_text("1\n")
    ours = str(workdirs.commit("data", "sync", {}, 1))
    origin.push({theirs: "theirs\n", "control-1.csv": "3\n"})
    published = workdirs.publish("data", _target(url))
    workdirs.mark_published("data", published)
    assert (ours in published.landed) is (theirs == "theirs.csv")
    assert (ours in published.aside) is (theirs == "ours.csv")
    refreshed = workdirs.refresh("data", url)
    assert (refreshed.head, refreshed.warning) == (_tip(origin), "")
    assert (workdirs.path("data") / "control-1.csv").read_text() == "3\n"


def test_a_clone_of_another_address_or_branch_publishes_nothing(
    workdirs: Workdirs, collect: Collect, url: str, server: GitServer
) -> None:
    collect({"a.csv": "1\n"})
    with pytest.raises(Conflict, match="another address"):
        workdirs.publish("data", _target(server.url("other")))
    with pytest.raises(WrongState, match="on branch 'main', not on 'weekly'"):
        workdirs.publish("data", _target(url, "weekly"))
