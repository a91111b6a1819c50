"""Two publishers and one remote: whatever happens in whatever order, no commit is lost and none is there twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.repositories import clone_push
from tests.integration.clones.publishers import Publisher, Scheduler, Steps, pairs_at
from tests.integration.clones.sights import contents
from tests.integration.git_server import Origin, git

SEEDS = int(os.environ.get("MAO_TEST_PUBLISHER_SEEDS", "4"))
"""With 20 these are 1,000 orders of events."""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(clone_push, "PAUSE_SECONDS", 0.001)
    return Steps(monkeypatch)


def test_no_order_of_events_loses_a_commit_or_publishes_it_twice(tmp_path: Path, origin: Origin, steps: Steps) -> None:
    assert _faults(1, 6, tmp_path, origin, steps) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_fifty_orders_of_events_lose_no_commit_whatever_the_seed(
    seed: int, tmp_path: Path, origin: Origin, steps: Steps
) -> None:
    assert _faults(seed, 50, tmp_path, origin, steps) == []


def _faults(seed: int, interleavings: int, tmp_path: Path, origin: Origin, steps: Steps) -> list[str]:
    """Let two publishers work in an order that the seed decides, and give what is not as it should be afterwards."""
    publishers = [Publisher(name, tmp_path / name, origin) for name in ("one", "two")]
    scheduler = Scheduler(seed, publishers, steps)
    for _ in range(interleavings):
        scheduler.interleave()
    for publisher in publishers:
        publisher.publish()

    made = {(publisher.name, run_id) for publisher in publishers for run_id in publisher.commits}
    found = pairs_at(origin)
    counted = Counter((node, run_id) for node, run_id, _ in found)
    faults = [f"{pair} is there {counted[pair]} times" for pair in made | set(counted) if counted[pair] != 1]
    faults += [f"nobody made {pair}" for pair in set(counted) - made]
    if scheduler.accidents <= interleavings / 3:
        faults.append(f"only {scheduler.accidents} accidents in {interleavings} orders")
    return [*faults, *_wrong_records(publishers, found, origin), *_wrong_work_trees(publishers, origin)]


def _wrong_records(publishers: list[Publisher], found: list[tuple[str, int, str]], origin: Origin) -> Iterator[str]:
    lying = {(node, run_id): commit for node, run_id, commit in found}
    on_main = set(git("rev-list", "main", cwd=origin.bare).split())
    for publisher in publishers:
        for run_id, commit in publisher.commits.items():
            if (there := lying.get((publisher.name, run_id))) != commit:
                yield f"run {run_id} of {publisher.name} is recorded as {commit}, and is {there}"
            state = "pushed" if commit in on_main else "conflict"
            if publisher.states[run_id] != state:
                yield f"run {run_id} of {publisher.name} is recorded as {publisher.states[run_id]}, and is {state}"


def _wrong_work_trees(publishers: list[Publisher], origin: Origin) -> Iterator[str]:
    for publisher in publishers:
        if warning := publisher.workdirs.refresh("data", publisher.url).warning:
            yield f"{publisher.name} is not refreshed: {warning}"
        facts = publisher.workdirs.state("data")
        seen = (facts.head, facts.has_uncommitted, facts.unpushed_commits)
        if seen != (git("rev-parse", "main", cwd=origin.bare), False, 0):
            yield f"{publisher.name} is not where main is: {seen}"
    one, two = (contents(publisher.tree) for publisher in publishers)
    if one != two:
        yield f"the two hold different files: {sorted(set(one.items()) ^ set(two.items()))}"
