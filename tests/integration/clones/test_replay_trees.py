"""The work tree of a replay: kept once, whoever is killed in the middle, and let go of in the end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from app.errors import BackendFailed
from app.repositories import clone_replay
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import SETTINGS
from tests.integration.git_server import Origin, git

FILES = 2000


@pytest.fixture
def start(workdirs: Workdirs, origin: Origin) -> str:
    """The tree that replays of the clone ``data`` begin with."""
    workdirs.clone("data", str(origin.bare))
    return workdirs.baseline("data")


def collect(workdirs: Workdirs, run_id: int, files: int = 3) -> None:
    for number in range(files):
        (workdirs.replay_path(run_id) / f"new-{number}.csv").write_text(f"{number}\n")


def test_a_replay_that_is_killed_while_its_folder_goes_keeps_all_of_it(
    workdirs: Workdirs, importdir: Path, start: str
) -> None:
    kept = set()
    for run_id in range(1, 6):
        workdirs.write_replay("data", run_id, start)
        collect(workdirs, run_id, FILES)
        folder = workdirs.replay_path(run_id)
        keeping = multiprocessing.get_context("fork").Process(
            target=Workdirs(SETTINGS, importdir).keep_replay, args=("data", run_id)
        )
        keeping.start()
        assert keeping.pid is not None
        while folder.is_dir() and sum(1 for _ in folder.iterdir()) > FILES:
            pass
        os.kill(keeping.pid, signal.SIGKILL)
        keeping.join()
        kept.add(workdirs.keep_replay("data", run_id))
        assert not folder.exists()
    assert len(kept) == 1


def test_another_attempt_begins_with_what_the_first_began_with(workdirs: Workdirs, start: str) -> None:
    workdirs.write_replay("data", 7, start)
    collect(workdirs, 7)
    first = workdirs.keep_replay("data", 7)
    workdirs.write_replay("data", 7, start)
    assert workdirs.keep_replay("data", 7) == start != first


def test_what_was_never_there_cannot_be_kept(workdirs: Workdirs, start: str) -> None:
    with pytest.raises(BackendFailed, match="replay 8 is gone"):
        workdirs.keep_replay("data", 8)
    with pytest.raises(BackendFailed, match="does not have the data"):
        workdirs.write_replay("data", 8, "0" * 39 + "1")


def test_the_oldest_replays_are_let_go_of(
    workdirs: Workdirs, importdir: Path, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clone_replay, "MOST_KEPT", 2)
    for run_id in (9, 10, 11, 100):
        workdirs.write_replay("data", run_id, start)
        workdirs.keep_replay("data", run_id)
    found = git("for-each-ref", "--format=%(refname)", "refs/mao/replays", cwd=importdir / ".git-dirs/data.git")
    assert sorted(found.splitlines()) == [f"refs/mao/replays/{run_id}" for run_id in (10, 100, 11)]
