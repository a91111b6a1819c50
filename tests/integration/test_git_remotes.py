"""Clones and the servers that they come from: real git over HTTP, with every fault that a server can have."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from app.errors import BackendFailed, Conflict, Invalid, Locked, MaoError, RemoteDown, WrongState
from app.repositories import clone_remote
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.git_server import GitServer, Origin, git, processes_that_name

SETTINGS = Git(allow_local=True, timeout_seconds=60)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server", tokens={"reader": {"read"}}) as server:
        yield server


@pytest.fixture
def origin(server: GitServer) -> Origin:
    origin = server.origin("data")
    origin.push({"control-1.csv": "1\n", "folder/old.csv": "old\n"})
    return origin


@pytest.fixture
def importdir(tmp_path: Path) -> Path:
    return tmp_path / "clones"


@pytest.fixture
def workdirs(importdir: Path) -> Workdirs:
    return Workdirs(SETTINGS, importdir)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone_remote, "BACKOFF_SECONDS", (0.01, 0.01))


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)


def noise(size: int) -> bytes:
    return Random(7).randbytes(size)


def parts_of(importdir: Path) -> set[str]:
    """What there is of clones, finished or not; lock files and the empty home are no part of one."""
    hidden = importdir / ".git-dirs"
    names = [path.name for path in importdir.iterdir() if path != hidden]
    return {*names, *(path.name for path in hidden.iterdir() if path.name != ".home" and path.suffix != ".lock")}


def test_a_clone_has_the_files_the_whole_history_and_a_progress_that_only_grows(
    server: GitServer, origin: Origin, workdirs: Workdirs
) -> None:
    head = origin.push({"control-2.csv": "2\n", "noise.bin": noise(400_000)})
    reported: list[tuple[int, str]] = []

    cloned = workdirs.clone(
        "data", server.url("data"), progress=lambda percent, stage: reported.append((percent, stage))
    )

    assert cloned == head == workdirs.head("data")
    assert (workdirs.path("data") / "folder/old.csv").read_text() == "old\n"
    assert git("rev-list", "--count", "HEAD", cwd=workdirs.path("data")) == "2"
    percents = [percent for percent, _ in reported]
    assert percents == sorted(percents)
    assert reported[-1] == (100, "ready")
    assert "receiving" in {stage for _, stage in reported}


def test_cloning_again_refreshes(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    workdirs.clone("data", server.url("data"))
    head = origin.push({"control-2.csv": "2\n"})
    assert workdirs.clone("data", server.url("data")) == head
    assert (workdirs.path("data") / "control-2.csv").exists()


def test_a_named_branch_is_the_only_one_that_is_fetched(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    git("checkout", "-q", "-b", "weekly", cwd=origin.desk)
    head = origin.push({"weekly.csv": "1\n"})
    assert workdirs.clone("data", server.url("data"), "weekly") == head
    assert workdirs.state("data").branch == "weekly"
    assert git("branch", "-r", cwd=workdirs.path("data")).split() == ["origin/weekly"]


def test_a_branch_that_does_not_exist_is_named(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    with pytest.raises(BackendFailed, match="has no branch 'nope'") as caught:
        workdirs.clone("data", server.url("data"), "nope")
    assert caught.value.cause == "data_unavailable"


def test_a_repository_that_wants_a_token_is_refused_at_once_and_leaves_nothing(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path
) -> None:
    server.private.add("data")
    with pytest.raises(BackendFailed, match="credentials are not configured") as caught:
        workdirs.clone("data", server.url("data"))
    assert caught.value.cause == "data_unavailable"
    assert len(server.requests) == 1, "an answer must not be asked for again"
    assert parts_of(importdir) == set()
    assert not workdirs.exists("data")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("403 Forbidden", "credentials are not configured"),
        ("404 Not Found", "does not exist"),
        ("410 Gone", "does not exist"),
        ("301 Moved Permanently -> http://127.0.0.1:1/elsewhere.git", "redirect"),
        ("200 OK", "could not be read|does not exist"),
    ],
)
def test_an_answer_is_final_and_told_in_plain_words(
    server: GitServer, workdirs: Workdirs, importdir: Path, status: str, words: str
) -> None:
    server.faults["data"] = [status]
    with pytest.raises(BackendFailed, match=words) as caught:
        workdirs.clone("data", server.url("data"))
    assert caught.value.cause == "data_unavailable"
    assert len(server.requests) == 1
    assert parts_of(importdir) == set()


def test_a_server_in_trouble_is_asked_three_times(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    server.faults["data"] = ["503 Service Unavailable"]
    with pytest.raises(RemoteDown):
        workdirs.clone("data", server.url("data"))
    assert len(server.requests) == 3


def test_a_server_that_recovers_in_time_gives_the_clone(server: GitServer, origin: Origin, workdirs: Workdirs) -> None:
    server.faults["data"] = ["503 Service Unavailable", "502 Bad Gateway", ""]
    assert workdirs.clone("data", server.url("data")) == git("rev-parse", "HEAD", cwd=origin.desk)


def test_a_closed_port_is_a_remote_that_is_down(workdirs: Workdirs, importdir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/data.git", f"ssh://git@127.0.0.1:{port}/data.git"):
            with pytest.raises(RemoteDown):
                workdirs.clone("data", url)
    assert parts_of(importdir) == set()


def test_a_server_that_never_answers_is_given_up_and_nothing_is_left_running(importdir: Path) -> None:
    workdirs = Workdirs(Git(allow_local=True, timeout_seconds=2), importdir)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for url in (f"http://{address}/data.git", f"ssh://git@{address}/data.git"):
            with pytest.raises(RemoteDown):
                workdirs.clone("data", url)
            assert processes_that_name(url) == []
    assert parts_of(importdir) == set()


def test_a_transfer_that_stops_half_way_is_given_up_and_nothing_is_left_running(
    server: GitServer, origin: Origin, importdir: Path
) -> None:
    origin.push({"noise.bin": noise(3_000_000)})
    server.gate.clear()
    workdirs = Workdirs(Git(allow_local=True, timeout_seconds=4), importdir)
    with pytest.raises(RemoteDown):
        workdirs.clone("data", server.url("data"))
    assert processes_that_name(server.url("data")) == []
    assert parts_of(importdir) == set()


def test_a_repository_above_the_size_limit_is_refused(server: GitServer, origin: Origin, importdir: Path) -> None:
    origin.push({"noise.bin": noise(3_000_000)})
    workdirs = Workdirs(Git(allow_local=True, timeout_seconds=60, max_bytes=2_000_000), importdir)
    with pytest.raises(BackendFailed, match="larger than the limit of 2000000 bytes") as caught:
        workdirs.clone("data", server.url("data"))
    assert caught.value.cause == "data_unavailable"
    assert parts_of(importdir) == set()


def test_a_small_repository_that_unpacks_to_a_large_tree_is_refused(
    server: GitServer, origin: Origin, importdir: Path
) -> None:
    origin.push({f"{number}.bin": b"\0" * 1_000_000 for number in range(5)})
    workdirs = Workdirs(Git(allow_local=True, timeout_seconds=60, max_bytes=2_000_000), importdir)
    with pytest.raises(BackendFailed, match="larger than the limit"):
        workdirs.clone("data", server.url("data"))
    assert parts_of(importdir) == set()


def test_an_agent_that_is_killed_while_it_clones_leaves_nothing_that_hinders_the_next(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path
) -> None:
    head = origin.push({"noise.bin": noise(3_000_000)})
    server.gate.clear()
    program = f"""
        from pathlib import Path
        from app.repositories.workdirs import Workdirs
        from app.settings import Git
        Workdirs(Git(allow_local=True), Path({str(importdir)!r})).clone("data", {server.url("data")!r})
    """
    agent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT)
    packs = importdir / ".git-dirs/.new-data/.git/objects/pack"
    wait_until(lambda: any(path.stat().st_size > 100_000 for path in packs.glob("tmp_*")), "half of it had arrived")
    agent.send_signal(signal.SIGKILL)
    agent.wait()

    with pytest.raises(Locked):
        Workdirs(Git(allow_local=True, timeout_seconds=1), importdir).clone("data", server.url("data"))
    server.gate.set()
    assert workdirs.clone("data", server.url("data")) == head
    assert parts_of(importdir) == {"data", "data.git"}
    assert git("status", "--porcelain", cwd=workdirs.path("data")) == ""
    wait_until(lambda: processes_that_name(server.url("data")) == [], "the orphan had ended")


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


@pytest.mark.parametrize(
    "url", ["ext::sh -c id", "http://example.org/d", "/etc", "-u", "https://u:hunter2@example.org/d"]
)
def test_a_forbidden_address_is_refused_before_git_hears_of_it(importdir: Path, url: str) -> None:
    with pytest.raises(Invalid) as caught:
        Workdirs(Git(), importdir).clone("data", url)
    assert "hunter2" not in str(caught.value)
    assert not importdir.exists()


def test_git_itself_refuses_what_the_check_of_addresses_would_have_missed(
    importdir: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.repositories.workdirs.checked_url", lambda url, allow_local: url)
    canary = importdir.parent / "canary"
    for url in (f"ext::touch {canary}", str(origin.bare), f"file://{origin.bare}", "fd::3"):
        with pytest.raises(MaoError):
            Workdirs(Git(), importdir).clone("data", url)
    assert not canary.exists()
    assert parts_of(importdir) == set()


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


@pytest.mark.parametrize(
    ("mode", "name"),
    [("040000", ".git"), ("040000", ".GIT"), ("040000", "git~1"), ("040000", ".."), ("040000", ".g\u200cit")],
)
def test_a_tree_that_reaches_for_gits_folder_is_refused(
    server: GitServer, workdirs: Workdirs, importdir: Path, mode: str, name: str
) -> None:
    origin = server.origin("evil")
    blob = git("hash-object", "-w", "--stdin", cwd=origin.bare, data=b"[core]\n\tfsmonitor = touch /tmp/owned\n")
    inner = git("mktree", cwd=origin.bare, data=f"100644 blob {blob}\tconfig\n".encode())
    raw = mode.lstrip("0").encode() + b" " + name.encode() + b"\0" + bytes.fromhex(inner)
    tree = git("hash-object", "--literally", "-w", "-t", "tree", "--stdin", cwd=origin.bare, data=raw)
    commit = git("commit-tree", tree, "-m", "evil", cwd=origin.bare)
    git("update-ref", "refs/heads/main", commit, cwd=origin.bare)

    with pytest.raises(BackendFailed, match="broken or dangerous") as caught:
        workdirs.clone("evil", server.url("evil"))
    assert caught.value.cause == "data_unavailable"
    assert parts_of(importdir) == set()


def test_links_filters_and_submodules_arrive_as_plain_files_or_not_at_all(
    server: GitServer, origin: Origin, workdirs: Workdirs
) -> None:
    (origin.desk / "leak").symlink_to("/etc/passwd")
    git("config", "filter.lfs.clean", "cat", cwd=origin.desk)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    attributes = "*.bin filter=lfs\n* text=auto eol=crlf ident\n"
    origin.push({".gitattributes": attributes, "big.bin": pointer, "a.csv": "$Id$\n"})
    workdirs.clone("data", server.url("data"))
    tree = workdirs.path("data")
    assert not (tree / "leak").is_symlink()
    assert (tree / "leak").read_text() == "/etc/passwd"
    assert (tree / "big.bin").read_text() == pointer
    assert (tree / "a.csv").read_bytes() == b"$Id$\n", "contents must not be converted"
    assert not workdirs.state("data").has_uncommitted


@pytest.mark.parametrize(
    "line", ["", "update = !touch CANARY", "url = --upload-pack=touch CANARY", "path = -x", "url = ext::touch CANARY"]
)
def test_a_submodule_is_never_followed(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, tmp_path: Path, line: str
) -> None:
    canary = tmp_path / "canary"
    line = line.replace("CANARY", str(canary))
    modules = f'[submodule "sub"]\n\tpath = sub\n\turl = {server.url("data")}\n\t{line}\n'
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub", cwd=origin.desk)
    (origin.desk / "sub").mkdir()
    origin.push({".gitmodules": modules})
    try:
        workdirs.clone("data", server.url("data"))
    except BackendFailed as refusal:
        assert "broken or dangerous" in refusal.message
        assert parts_of(importdir) == set()
    else:
        assert list((workdirs.path("data") / "sub").iterdir()) == []
    assert not canary.exists()


def test_no_message_holds_a_path_of_ours(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path
) -> None:
    importdir.mkdir()
    (importdir / "data").mkdir()
    (importdir / "data/file").touch()
    messages = []
    for url in (server.url("data"), server.url("none"), str(importdir.parent / "nowhere")):
        with pytest.raises(MaoError) as caught:
            workdirs.clone("data" if url == server.url("data") else "other", url)
        messages.append(f"{caught.value.message} {caught.value.hint}")
    assert str(importdir) not in "".join(messages)
