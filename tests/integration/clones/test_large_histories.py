"""A gigabyte of history: how much memory and room a clone of it takes, and what is told meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.folders import disk_bytes
from app.models.dataset import History
from tests.integration.clones.sights import ROOT
from tests.integration.git_server import GitServer, git
from tests.integration.histories import Step, write_history

COMMITS = 128
FILE_BYTES = 8 * 2**20
ALL_BYTES = COMMITS * FILE_BYTES
MOST_MEMORY_BYTES = 300 * 10**6
NEEDED_BYTES = 4 * ALL_BYTES


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with much room, empty again afterwards."""
    assert shutil.disk_usage(tmp_path).free > NEEDED_BYTES, "this test needs 4 GiB of free space"
    yield tmp_path
    for path in tmp_path.iterdir():
        shutil.rmtree(path)


@pytest.fixture
def head(place: Path) -> str:
    """A repository whose one file was replaced by other noise in each commit; gives the newest one."""
    bare = place / "server/data.git"
    bare.parent.mkdir()
    git("init", "-q", "--bare", bare, cwd=bare.parent)
    # Noise does not get smaller, however long one tries.
    for key, value in (("core.compression", "0"), ("core.bigFileThreshold", "1m"), ("uploadpack.allowFilter", "true")):
        git("config", key, value, cwd=bare)
    steps = (Step({"large.bin": os.urandom(FILE_BYTES), "n.csv": f"{number}\n"}) for number in range(COMMITS))
    return write_history(bare, steps)


def _cloned(place: Path, url: str, history: History) -> dict[str, Any]:
    arguments = [str(place / history), url, history]
    driver = [sys.executable, "-m", "tests.integration.clones.cloning_driver"]
    done = subprocess.run([*driver, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.long
def test_a_clone_of_a_large_history_takes_little_memory_and_only_the_room_that_was_asked_for(
    place: Path, head: str
) -> None:
    with GitServer(place / "server") as server:
        answers = {history: _cloned(place, server.url("data"), history) for history in History}
    for history, answer in answers.items():
        assert answer["head"] == head
        assert answer["own_bytes"] < MOST_MEMORY_BYTES, history
        assert answer["git_bytes"] < MOST_MEMORY_BYTES, history
        assert (place / history / "data/large.bin").stat().st_size == FILE_BYTES
    percents = [percent for percent, _ in answers[History.FULL]["told"]]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert len({percent for percent, step in answers[History.FULL]["told"] if step == "receiving"}) > 10

    sizes = {history: disk_bytes(place / history / ".git-dirs/data.git") for history in History}
    assert sizes[History.FULL] > ALL_BYTES
    assert sizes[History.BLOBLESS] < 3 * FILE_BYTES
    assert sizes[History.SHALLOW] < 3 * FILE_BYTES
