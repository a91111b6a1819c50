"""Clones that hold less than the whole past of their remote."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import RemoteDown
from app.models.dataset import History
from app.repositories.clone_evidence import Traces
from app.repositories.clone_remote import RefreshResult
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import contents, noise, repository_of
from tests.integration.git_server import GitServer, Origin, git

NEWEST = bytes(255 - byte for byte in noise(300_000))
HISTORIES = [History.FULL, History.BLOBLESS, History.SHALLOW]


@pytest.fixture
def first(origin: Origin) -> str:
    """The first commit of three; each replaces a large file, and one file of it is nowhere later."""
    git("config", "uploadpack.allowFilter", "true", cwd=origin.bare)
    git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=origin.bare)
    first = origin.push({"large.bin": noise(300_000), "early.csv": "early\n"})
    (origin.desk / "early.csv").unlink()
    origin.push({"large.bin": noise(300_000)[::-1]})
    origin.push({"large.bin": NEWEST})
    return first


def _objects_bytes(importdir: Path) -> int:
    return sum(path.stat().st_size for path in (importdir / ".git-dirs/data.git/objects").rglob("*.pack"))


@pytest.mark.parametrize("history", HISTORIES)
def test_with_any_history_the_newest_data_are_there_and_every_step_of_a_run_works(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str, history: History
) -> None:
    url = server.url("data")
    head = workdirs.clone("data", url, history=history)
    tree = workdirs.path("data")
    assert head == git("rev-parse", "HEAD", cwd=origin.desk)
    assert (tree / "large.bin").read_bytes() == NEWEST
    assert (_objects_bytes(importdir) > 700_000) is (history is History.FULL)
    assert git("rev-list", "--count", "HEAD", cwd=tree) == ("1" if history is History.SHALLOW else "4")

    newer = origin.push({"theirs.csv": "1\n"})
    assert workdirs.refresh("data", url) == RefreshResult(newer)
    before = contents(tree)
    baseline = workdirs.baseline("data")
    (tree / "half.csv").write_text("half\n")
    (tree / "large.bin").write_bytes(b"spoilt")
    assert workdirs.quarantine("data", baseline, 7)
    assert contents(tree) == before
    (tree / "ours.csv").write_text("1\n")
    assert workdirs.commit("data", "sync", {}, 8)
    state = workdirs.state("data")
    assert (state.has_uncommitted, state.unpushed_commits) == (False, 1)


def test_what_a_blobless_clone_left_behind_is_fetched_when_it_is_needed(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str
) -> None:
    workdirs.clone("data", server.url("data"), history=History.BLOBLESS)
    repository = repository_of(importdir)
    asked = len(server.requests)
    assert repository.changes(f"{first}^{{tree}}", "HEAD", "D") == ["early.csv"]
    assert len(server.requests) == asked, "names need no contents"
    assert repository.run("cat-file", "blob", f"{first}:early.csv").data == b"early\n"
    assert len(server.requests) > asked


def test_contents_that_were_left_behind_are_fetched_together_and_once(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str
) -> None:
    head = workdirs.clone("data", server.url("data"), history=History.BLOBLESS)
    history = workdirs.history("data")
    blobs = {**history.files(first), **history.files(head)}.values()
    assert len(history.left_behind([history.files(first)[path] for path in ("early.csv", "large.bin")])) == 2
    asked = len(server.requests)
    workdirs.fetch_contents("data", [*blobs, *history.files(first).values()])
    assert history.left_behind(history.files(first).values()) == []
    assert sum(request.startswith("POST") for request in server.requests[asked:]) == 1
    asked = len(server.requests)
    workdirs.fetch_contents("data", history.files(first).values())
    assert len(server.requests) == asked
    assert history.left_behind(history.files(f"{head}^").values()), "what nobody needed stays at the remote"


def test_what_a_run_wrote_and_the_clone_left_behind_is_not_called_damaged(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str
) -> None:
    workdirs.clone("data", server.url("data"), history=History.BLOBLESS)
    traces = Traces(before=f"{first}^^{{tree}}", after=first, commit=first, replayed="", is_kept_out=False)
    server.faults["data"] = ["503 Service Unavailable"]
    with pytest.raises(RemoteDown):
        workdirs.evidence("data", traces)
    del server.faults["data"]
    evidence = workdirs.evidence("data", traces)
    assert (evidence.written, evidence.damaged, evidence.too_large) == (2, [], [])


def test_a_remote_that_is_away_is_named_where_it_is_needed_and_only_there(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str
) -> None:
    workdirs.clone("data", server.url("data"), history=History.BLOBLESS)
    server.faults["data"] = ["503 Service Unavailable"]
    repository = repository_of(importdir)
    with pytest.raises(RemoteDown):
        repository.run("cat-file", "blob", f"{first}:early.csv")
    baseline = workdirs.baseline("data")
    (workdirs.path("data") / "ours.csv").write_text("1\n")
    assert workdirs.changed_since("data", baseline).paths == ["ours.csv"]
    assert workdirs.commit("data", "sync", {}, 8)
    assert workdirs.refresh("data", server.url("data")).is_stale


@pytest.mark.parametrize("answered", [5, 6])
def test_a_remote_that_goes_away_between_the_names_and_the_contents_leaves_the_clone_as_it_was(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, first: str, answered: int
) -> None:
    url = server.url("data")
    head = workdirs.clone("data", url, history=History.BLOBLESS)
    (workdirs.path("data") / "ours.csv").write_text("1\n")
    before = contents(workdirs.path("data"))
    newer = origin.push({"theirs.csv": "1\n", "large.bin": noise(300_000)})
    # Two requests for the branches, three for commits and names; the next ones are for contents.
    server.faults["data"] = [*[""] * answered, "503 Service Unavailable"]
    result = workdirs.refresh("data", url)
    assert (result.head, result.is_stale) == (head, True)
    assert result.warning.startswith("The clone was not refreshed: ")
    assert repository_of(importdir).commit_of("refs/remotes/origin/main") == newer
    assert contents(workdirs.path("data")) == before
    del server.faults["data"]
    assert workdirs.refresh("data", url) == RefreshResult(newer)
    assert contents(workdirs.path("data")) == {**before, "theirs.csv": b"1\n", "large.bin": noise(300_000)}


@pytest.mark.parametrize("history", [History.BLOBLESS, History.SHALLOW])
def test_a_clone_with_gaps_gives_no_snapshot_away(
    server: GitServer, origin: Origin, workdirs: Workdirs, first: str, history: History
) -> None:
    workdirs.clone("data", server.url("data"), history=history)
    assert workdirs.clone_at("then", server.url("data"), first) == first
    assert (workdirs.path("then") / "early.csv").read_text() == "early\n"


def test_a_shallow_clone_is_never_deepened(server: GitServer, origin: Origin, workdirs: Workdirs, first: str) -> None:
    workdirs.clone("data", server.url("data"), history=History.SHALLOW)
    for number in range(3):
        origin.push({"control-2.csv": f"{number}\n"})
        workdirs.refresh("data", server.url("data"))
    assert git("rev-list", "--count", "HEAD", cwd=workdirs.path("data")) == "4"
    assert git("rev-parse", "--is-shallow-repository", cwd=workdirs.path("data")) == "true"
