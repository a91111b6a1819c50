"""A short storm over the real product; ``tox -e chaos`` blows the long ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.edges import EDGES
from tests.chaos.isolation import CHECKOUT, why_not
from tests.chaos.planning import plan

pytestmark = pytest.mark.long

SEED = 7
KILLS = 25
TIME_LIMIT_SECONDS = 600


@pytest.mark.docker
def test_whatever_is_killed_the_record_is_true_afterwards(tmp_path: Path) -> None:
    if (reason := why_not()) is not None:
        assert os.environ.get("CI") != "true", f"no storm of kills is possible: {reason}"
        pytest.skip(f"no storm of kills is possible: {reason}")
    report, logs = tmp_path / "report.md", tmp_path / "logs"
    arguments = ["--kills", KILLS, "--edges", 1, "--seed", SEED, "--report", report, "--logs", logs]
    command = [sys.executable, "-m", "tests.chaos", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=TIME_LIMIT_SECONDS
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}\nThe logs are in {logs}."
    assert "| **all** |" in report.read_text()


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(SEED, 50) == plan(SEED, 50)
    assert plan(SEED, 50) != plan(SEED + 1, 50)


def test_a_plan_has_what_was_asked_for() -> None:
    drawn = [planned for queue in plan(SEED, 50, 2).values() for planned in queue]
    assert sum(planned.kind.kills for planned in drawn if planned.kind) == 50
    assert Counter(planned.edge for planned in drawn if planned.edge) == dict.fromkeys(EDGES, 2)
