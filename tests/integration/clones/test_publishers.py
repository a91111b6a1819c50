"""Two publishers and one remote: whatever happens in whatever order, no commit is lost and none is there twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from app.repositories import clone_push
from tests.integration.clones.publishers import Publisher, Scheduler, Steps, pairs_at
from tests.integration.clones.sights import contents
from tests.integration.git_server import Origin, git


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(clone_push, "PAUSE_SECONDS", 0.001)
    return Steps(monkeypatch)


def test_no_order_of_events_loses_a_commit_or_publishes_it_twice(tmp_path: Path, origin: Origin, steps: Steps) -> None:
    _survive(1, 6, tmp_path, origin, steps)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_fifty_times_twenty_orders_of_events_lose_no_commit(
    seed: int, tmp_path: Path, origin: Origin, steps: Steps
) -> None:
    _survive(seed, 50, tmp_path, origin, steps)


def _survive(seed: int, interleavings: int, tmp_path: Path, origin: Origin, steps: Steps) -> None:
    publishers = [Publisher(name, tmp_path / name, origin) for name in ("one", "two")]
    scheduler = Scheduler(seed, publishers, steps)
    for _ in range(interleavings):
        scheduler.interleave()
    assert scheduler.accidents > interleavings / 3
    for publisher in publishers:
        publisher.publish()

    made = {(publisher.name, run_id) for publisher in publishers for run_id in publisher.commits}
    found = pairs_at(origin)
    assert Counter((node, run_id) for node, run_id, _ in found) == dict.fromkeys(made, 1)
    _check_records(publishers, found, origin)
    _check_work_trees(publishers, origin)


def _check_records(publishers: list[Publisher], found: list[tuple[str, int, str]], origin: Origin) -> None:
    lying = {(node, run_id): commit for node, run_id, commit in found}
    on_main = set(git("rev-list", "main", cwd=origin.bare).split())
    for publisher in publishers:
        for run_id, commit in publisher.commits.items():
            assert lying[(publisher.name, run_id)] == commit
            assert publisher.states[run_id] == ("pushed" if commit in on_main else "conflict")


def _check_work_trees(publishers: list[Publisher], origin: Origin) -> None:
    for publisher in publishers:
        assert publisher.workdirs.refresh("data", publisher.url).warning == ""
        facts = publisher.workdirs.state("data")
        assert facts.head == git("rev-parse", "main", cwd=origin.bare)
        assert (facts.has_uncommitted, facts.unpushed_commits) == (False, 0)
    one, two = (contents(publisher.tree) for publisher in publishers)
    assert one == two
