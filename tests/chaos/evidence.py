"""All that is known after the storm, gathered with plain SQL, the engine's list, git and etcd's own interface."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.ledger import Ledger
from tests.chaos.load import DATA_TOOLS, LOCKS
from tests.chaos.marks import Execution, Marks
from tests.chaos.storm import Incident
from tests.chaos.world import LOCK_SECONDS, World

_POLL_SECONDS = 0.5
_RUNS = """
    select id, tool, status, cause, exit_code, attempt, description, job_id, due_at, message, defined_at, started_at,
           ended_at, output_base, warnings, tool_failures
      from runs order by id
"""
_EVENTS = "select run_id, from_status, to_status, cause, at from run_events order by id"
_FIRINGS = "select job_id, due_at, outcome, run_id from firings"
_OUTPUT = "select run_id, start_byte, data from run_output order by run_id, start_byte"
_ATTEMPTS = "select run_id, number, exit_code, cause, first_byte from run_attempts order by run_id, number"


@dataclass(frozen=True)
class RunRow:
    """What the record says of a run."""

    id: int
    tool: str
    status: str
    cause: str | None
    exit_code: int | None
    attempt: int
    description: str
    job_id: str | None
    due_at: datetime | None
    message: str | None
    defined_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    output_base: int = 0
    warnings: Sequence[str] = ()
    tool_failures: int = 0

    @property
    def has_lost_lock(self) -> bool:
        """Tell whether the record says that the run lost a lock."""
        return any("was lost" in warning for warning in self.warnings)


@dataclass(frozen=True)
class Change:
    """A row of the log of a run."""

    old: str | None
    new: str
    cause: str | None
    at: datetime | None = None


@dataclass
class Evidence:
    """Everything that the judgement needs. ``clock_offset`` added to a monotonic instant gives seconds of the epoch."""

    runs: dict[int, RunRow]
    changes: dict[int, list[Change]]
    attempts: dict[int, list[tuple[int, int | None, str, int]]]
    firings: list[tuple[str, datetime, str, int | None]]
    output: dict[int, list[tuple[int, bytes]]]
    executions: list[Execution]
    published: dict[str, list[str]]
    ledger: Ledger
    incidents: list[Incident]
    orphans: list[tuple[int, int]] = field(default_factory=list)
    never_right: list[tuple[int, int]] = field(default_factory=list)
    lock_keys: dict[str, bytes] = field(default_factory=dict)
    lock_runs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock_offset: float = field(default_factory=lambda: time.time() - time.monotonic())

    def of_run(self, run_id: int) -> list[Execution]:
        return [execution for execution in self.executions if execution.run_id == run_id]


def gather(world: World, marks: Marks, ledger: Ledger, incidents: list[Incident]) -> Evidence:
    """Read everything."""
    runs = [RunRow(*row) for row in world.query(_RUNS)]
    return Evidence(
        runs={run.id: run for run in runs},
        changes=_by_run([(run_id, Change(*rest)) for run_id, *rest in world.query(_EVENTS)]),
        attempts=_by_run([(run_id, tuple(rest)) for run_id, *rest in world.query(_ATTEMPTS)]),
        firings=[(job, due, outcome, run) for job, due, outcome, run in world.query(_FIRINGS)],
        output=_by_run([(run_id, (start, bytes(data))) for run_id, start, data in world.query(_OUTPUT)]),
        executions=marks.all(),
        published={tool: _published(world.data / tool) for tool in DATA_TOOLS},
        ledger=ledger,
        incidents=incidents,
        lock_keys=_locks_left(world),
        lock_runs=LOCKS,
    )


def _locks_left(world: World) -> dict[str, bytes]:
    """Give the locks that are held though all runs are over and their leases have had the time to end."""
    deadline = time.monotonic() + 3 * LOCK_SECONDS
    while (left := world.etcd.entries("/mao/locks/")) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def _by_run(rows: list[tuple[int, Any]]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for run_id, value in rows:
        found.setdefault(run_id, []).append(value)
    return found


def _published(clone: Path) -> list[str]:
    """Give the names of the marks in the clone's data branch, each as often as a commit added it."""
    git = ["git", "-c", "safe.directory=*"]
    if subprocess.run([*git, "rev-parse", "--verify", "--quiet", "HEAD"], cwd=clone, capture_output=True).returncode:
        # No run of this tool was good yet.
        return []
    log = [*git, "log", "--format=", "--name-only", "--diff-filter=A"]
    done = subprocess.run(log, cwd=clone, check=True, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if line.startswith(("begin,", "end,"))]
