"""The storm itself, in a world of its own: ``python -m tests.chaos.inside FOLDER ...``, called by ``tests.chaos``."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.evidence import Evidence, gather
from tests.chaos.judgement import judge
from tests.chaos.keeping import keep
from tests.chaos.load import Load
from tests.chaos.marks import Marks
from tests.chaos.options import parser
from tests.chaos.planning import plan
from tests.chaos.processes import until
from tests.chaos.storm import Storm
from tests.chaos.table import Facts, table
from tests.chaos.truth import Attempt, containers
from tests.chaos.world import World

_DRAIN_SECONDS = 240.0
_ORPHAN_SECONDS = 60.0
_POLL_SECONDS = 0.2
_UNFINISHED = "select 1 from runs where ended_at is null limit 1"


def main() -> int:
    """Blow, judge, and give 0 where nothing is wrong."""
    folder, options = Path(sys.argv[1]), parser().parse_args(sys.argv[2:])
    logs = Path(options.logs) if options.logs else folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    print(f"chaos: seed {options.seed}, logs in {logs}", file=sys.stderr, flush=True)
    world = World(folder, logs)
    try:
        world.begin()
        return _blow_and_judge(world, options)
    finally:
        world.end()


def _blow_and_judge(world: World, options: argparse.Namespace) -> int:
    began, marks = time.monotonic(), Marks()
    load, storm = Load(world, marks, options.seed), Storm(world)
    threading.excepthook = lambda failed: load.ledger.troubles.append(f"{failed.thread}: {failed.exc_value!r}")
    load.prepare()
    load.begin()
    try:
        storm.blow(plan(options.seed, options.kills, options.edges, options.only))
    except TimeoutError as error:
        load.ledger.troubles.append(str(error))
    evidence, drained_seconds = _end(world, load, storm, marks)
    complaints = judge(evidence)
    facts = Facts(options.seed, options.kills, options.edges, time.monotonic() - began, drained_seconds)
    text = table(facts, evidence, storm, complaints)
    print(text)
    if options.report:
        Path(options.report).write_text(text)
    if complaints:
        keep(evidence, world.data, world.logs)
    return 1 if complaints else 0


def _end(world: World, load: Load, storm: Storm, marks: Marks) -> tuple[Evidence, float]:
    """End the load, wait until nothing is left to be done, and give what is known and how many seconds that took."""
    ended_at = datetime.now(UTC)
    load.end()
    storm.calm()
    drained_seconds = _drain(world)
    orphans = _orphans(world)
    if marks.has_overflowed:
        load.ledger.troubles.append("the kernel's queue of marks has overflowed")
    evidence = gather(world, marks, load.ledger, storm.incidents)
    evidence.orphans, evidence.ended_at, evidence.never_right = orphans, ended_at, storm.never_right
    return evidence, drained_seconds


def _drain(world: World) -> float:
    """Wait until every run is over, or for so long that it never will be; give how many seconds that took."""
    began = time.monotonic()
    # Where runs are not over then, the judge names them.
    with suppress(TimeoutError):
        until(lambda: not world.query(_UNFINISHED), "all runs are over", _DRAIN_SECONDS)
    return time.monotonic() - began


def _orphans(world: World) -> list[Attempt]:
    """Give the containers that are left though all runs are over and 60 seconds have passed."""
    began = time.monotonic()
    while (left := containers(world)) and time.monotonic() - began < _ORPHAN_SECONDS:
        time.sleep(_POLL_SECONDS)
    return list(left)


if __name__ == "__main__":
    sys.exit(main())
