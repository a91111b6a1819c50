"""Bringing a clone up to date without losing anything that is only here."""

from __future__ import annotations

import pytest

from app.errors import Conflict, WrongState
from app.repositories import clone_remote
from app.repositories.workdirs import Workdirs
from tests.integration.git_server import GitServer, Origin, git


def test_cloning_again_refreshes(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    workdirs.clone("data", server.url("data"))
    head = origin.push({"control-2.csv": "2\n"})
    assert workdirs.clone("data", server.url("data")) == head
    assert (workdirs.path("data") / "control-2.csv").exists()


def test_a_local_clone_of_another_address_is_a_conflict(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    workdirs.clone("data", server.url("data"))
    with pytest.raises(Conflict, match="another address"):
        workdirs.clone("data", server.url("other"))
    with pytest.raises(Conflict, match="another address"):
        workdirs.refresh("data", server.url("other"))


def test_a_local_clone_on_another_branch_is_a_conflict(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    workdirs.clone("data", server.url("data"))
    with pytest.raises(WrongState, match="on branch 'main', not on 'weekly'"):
        workdirs.refresh("data", server.url("data"), "weekly")


def test_a_refresh_brings_what_is_new_and_says_when_nothing_is(
    server: GitServer, origin: Origin, workdirs: Workdirs
) -> None:
    first = workdirs.clone("data", server.url("data"))
    assert workdirs.refresh("data", server.url("data")) == clone_remote.RefreshResult(first)
    second = origin.push({"control-2.csv": "2\n"})
    assert workdirs.refresh("data", server.url("data")) == clone_remote.RefreshResult(second)
    assert not workdirs.state("data").has_uncommitted


@pytest.mark.parametrize("status", ["503 Service Unavailable", "404 Not Found", "401 Unauthorized"])
def test_a_remote_that_fails_leaves_a_clone_that_can_be_used(
    server: GitServer, origin: Origin, workdirs: Workdirs, status: str
) -> None:
    head = workdirs.clone("data", server.url("data"))
    server.faults["data"] = [status]
    result = workdirs.refresh("data", server.url("data"))
    assert (result.head, result.is_stale) == (head, True)
    assert result.warning.startswith("The clone was not refreshed: ")


def test_local_commits_stay_when_the_remote_has_moved(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    workdirs.clone("data", server.url("data"))
    (workdirs.path("data") / "ours.csv").write_text("1\n")
    ours = workdirs.commit("data", "sync", {}, 1)
    assert workdirs.refresh("data", server.url("data")).warning == ""
    origin.push({"theirs.csv": "1\n"})

    result = workdirs.refresh("data", server.url("data"))

    assert result.head == ours
    assert not result.is_stale
    assert "has commits here and others at the remote" in result.warning
    assert workdirs.state("data").unpushed_commits == 1


def test_a_rewritten_history_is_told_and_the_old_one_is_kept(
    server: GitServer, origin: Origin, workdirs: Workdirs
) -> None:
    old = workdirs.clone("data", server.url("data"))
    git("commit", "-q", "--amend", "-m", "rewritten", cwd=origin.desk)
    origin.push({}, "rewritten", "--force")

    result = workdirs.refresh("data", server.url("data"))

    assert result.head == old
    assert "was rewritten at the remote" in result.warning
    assert (workdirs.path("data") / "control-1.csv").exists()
    with pytest.raises(WrongState, match="the remote does not have"):
        workdirs.remove("data")


def test_uncommitted_files_survive_a_refresh(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    workdirs.clone("data", server.url("data"))
    tree = workdirs.path("data")
    (tree / "mine.csv").write_text("mine\n")
    (tree / "folder/old.csv").write_text("changed here\n")
    head = origin.push({"theirs.csv": "1\n"})
    assert workdirs.refresh("data", server.url("data")) == clone_remote.RefreshResult(head)
    assert (tree / "mine.csv").read_text() == "mine\n"
    assert (tree / "folder/old.csv").read_text() == "changed here\n"
    assert (tree / "theirs.csv").exists()


@pytest.mark.parametrize("name", ["mine.csv", "folder/old.csv", "ignored.csv"])
def test_a_local_file_in_the_way_of_a_newer_one_stays(
    server: GitServer, origin: Origin, workdirs: Workdirs, name: str
) -> None:
    origin.push({".gitignore": "ignored.csv\n"})
    before = workdirs.clone("data", server.url("data"))
    (workdirs.path("data") / name).write_text("mine\n")
    (origin.desk / name).write_text("theirs\n")
    git("add", "--force", name, cwd=origin.desk)
    origin.push({})

    result = workdirs.refresh("data", server.url("data"))

    assert result.head == before
    assert "Local files stand in the way" in result.warning
    assert (workdirs.path("data") / name).read_text() == "mine\n"


def test_an_empty_repository_is_cloned_and_follows_when_it_fills(server: GitServer, workdirs: Workdirs) -> None:
    origin = server.origin("data")
    assert workdirs.clone("data", server.url("data")) == ""
    assert workdirs.refresh("data", server.url("data")).head == ""
    git("checkout", "-q", "-b", "trunk", cwd=origin.desk)
    git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=origin.bare)
    head = origin.push({"control-1.csv": "1\n"})
    assert workdirs.refresh("data", server.url("data")) == clone_remote.RefreshResult(head)
    assert workdirs.state("data").branch == "trunk"
    assert (workdirs.path("data") / "control-1.csv").exists()


def test_an_empty_repository_may_be_cloned_for_a_branch_that_is_to_be(server: GitServer, workdirs: Workdirs) -> None:
    server.origin("data")
    assert workdirs.clone("data", server.url("data"), "weekly") == ""
    (workdirs.path("data") / "first.csv").write_text("1\n")
    assert workdirs.commit("data", "sync", {}, 1)
    assert workdirs.state("data").branch == "weekly"


def test_a_remote_branch_that_vanished_is_told(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    head = workdirs.clone("data", server.url("data"))
    git("branch", "-m", "main", "renamed", cwd=origin.bare)
    result = workdirs.refresh("data", server.url("data"))
    assert result.head == head
    assert "has no branch 'main' any more" in result.warning
