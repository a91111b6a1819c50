"""The first download, from a real git server with every fault that a server can have."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app.errors import BackendFailed, Locked, RemoteDown
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.clones.sights import (
    ROOT,
    noise,
    parts_of,
    wait_until,
)
from tests.integration.git_server import GitServer, Origin, git, processes_that_name


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
    with pytest.raises(BackendFailed, match="has no credentials for its host") as caught:
        workdirs.clone("data", server.url("data"))
    assert caught.value.cause == "data_unavailable"
    assert len(server.requests) == 1, "an answer must not be asked for again"
    assert parts_of(importdir) == set()
    assert not workdirs.exists("data")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("403 Forbidden", "do not allow this"),
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
