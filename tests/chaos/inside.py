"""The storm itself, in a world of its own: ``python -m tests.chaos.inside FOLDER ...``, called by ``tests.chaos``."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

_DRAIN_SECONDS = 240.0
_ORPHAN_SECONDS = 60.0


def main() -> int:
    """Blow, judge, and give 0 where nothing is wrong."""
    options = arguments().parse_args()
    folder = Path(options.folder)
    # The images of the tests are built by the engine that the environment names.
    os.environ["MAO_TEST_DOCKER_SOCKET"] = f"unix://{folder}/engine/docker.sock"
    # These modules read it when they are loaded.
    from tests.chaos.world import World

    logs = Path(options.logs) if options.logs else folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    world = World(folder, logs)
    try:
        world.begin()
        return _storm(world, options)
    finally:
        world.end()


def arguments() -> argparse.ArgumentParser:
    """Give the options, which ``tests.chaos`` has as well."""
    parser = argparse.ArgumentParser(prog="tests.chaos.inside")
    parser.add_argument("folder")
    parser.add_argument("--kills", type=int, default=20, help="go on until so many faults have killed processes")
    parser.add_argument("--edges", type=int, default=1, help="kill the agent so often at each named point")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same plan")
    parser.add_argument("--only", default="", help="make only faults whose name contains this, each counted as a kill")
    parser.add_argument("--report", default="", help="write the result as Markdown to this file")
    parser.add_argument("--logs", default="", help="keep the logs, and what is complained about, in this folder")
    return parser


def _storm(world: "World", options: argparse.Namespace) -> int:  # noqa: F821, UP037
    from tests.chaos.evidence import gather
    from tests.chaos.judgement import judge
    from tests.chaos.keeping import keep
    from tests.chaos.load import Load
    from tests.chaos.marks import Marks
    from tests.chaos.storm import Storm, plan
    from tests.chaos.table import Facts, table

    marks, began = Marks(), time.monotonic()
    load, storm = Load(world, marks, options.seed), Storm(world)
    threading.excepthook = lambda failed: load.ledger.troubles.append(f"{failed.thread}: {failed.exc_value!r}")
    load.prepare()
    load.begin()
    storm.kill_at_edges(options.edges)
    storm.blow(plan(options.seed, options.kills, options.only))
    ended_at = datetime.now(UTC)
    load.end()
    storm.calm()
    drained = _drain(world)
    orphans = _orphans(world)
    if marks.has_overflowed:
        load.ledger.troubles.append("the kernel's queue of marks has overflowed")
    evidence = gather(world, marks, load.ledger, storm.incidents)
    evidence.orphans, evidence.ended_at, evidence.never_right = orphans, ended_at, storm.never_right
    complaints = judge(evidence)
    facts = Facts(options.seed, options.kills, options.edges, time.monotonic() - began, drained)
    text = table(facts, evidence, storm, complaints)
    print(text)
    if complaints:
        keep(evidence, world.data, world.logs)
    if options.report:
        Path(options.report).write_text(text)
    return 1 if complaints else 0


def _drain(world: "World") -> float:  # noqa: F821, UP037
    """Wait until every run is over, and give how many seconds that took."""
    began = time.monotonic()
    while time.monotonic() - began < _DRAIN_SECONDS:
        time.sleep(0.2)
        if not world.query("select count(*) from runs where ended_at is null")[0][0]:
            break
    return time.monotonic() - began


def _orphans(world: "World") -> list[tuple[int, int]]:  # noqa: F821, UP037
    """Give the containers that are left though all runs are over and 60 seconds have passed."""
    from tests.chaos.truth import containers

    began = time.monotonic()
    while (left := containers(world)) and time.monotonic() - began < _ORPHAN_SECONDS:
        time.sleep(0.5)
    return list(left)


if __name__ == "__main__":
    sys.exit(main())
