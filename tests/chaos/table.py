"""The result as Markdown, ready for the documentation."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos import tool
from tests.chaos.evidence import Evidence
from tests.chaos.isolation import CHECKOUT
from tests.chaos.judgement import Complaint
from tests.chaos.storm import Storm
from tests.chaos.truth import delays
from tests.chaos.world import FAKETIME


@dataclass(frozen=True)
class Facts:
    """What was asked for and how long it took, in seconds."""

    seed: int
    kills: int
    edges: int
    seconds: float
    drained_seconds: float


def table(facts: Facts, evidence: Evidence, storm: Storm, complaints: Sequence[Complaint]) -> str:
    """Write the result."""
    parts = [_head(facts), _faults(storm), _runs(facts, evidence, storm), _complaints(complaints)]
    return "\n\n".join(part for part in parts if part) + "\n"


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the smallest value that so many percent of the values do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0


def _head(facts: Facts) -> str:
    asked = f"`tox -e chaos -- --kills {facts.kills} --edges {facts.edges} --seed {facts.seed}`"
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {asked}, {facts.seconds / 60:.0f} minutes."


def _faults(storm: Storm) -> str:
    counted = Counter(incident.kind for incident in storm.incidents)
    rows = [f"| {kind} | {counted[kind]} |" for kind in sorted(counted)]
    if FAKETIME is None:
        rows.append("| agent: clock wrong | not possible: Debian's package faketime is not installed |")
    return "\n".join(["| fault | times |", "|---|---|", *rows, f"| **all** | **{sum(counted.values())}** |"])


def _runs(facts: Facts, evidence: Evidence, storm: Storm) -> str:
    states = Counter(run.status for run in evidence.runs.values())
    told = storm.watcher.lies
    returns = [incident.returned for incident in storm.incidents if incident.returned]
    whole, after = [lie.ended - lie.began for lie in told], delays(told, returns)
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(evidence.ledger.answers.items()))
    rows = {
        "runs that the API accepted": len(evidence.ledger.accepted()),
        "runs that jobs made": sum(run.job_id is not None for run in evidence.runs.values()),
        "executions seen by the kernel": len(evidence.executions),
        "runs by final state": ", ".join(f"{state} {count}" for state, count in sorted(states.items())),
        "attempts after the first": sum(max(0, run.attempt - 1) for run in evidence.runs.values()),
        "answers of the API by status (599: connection cut)": answers,
        "times that a run was shown otherwise than the engine shows it": len(told),
        "for how long, outages included (p50 / p95 / most)": _times(whole),
        "for how long after all that was away was back (p50 / p95 / most)": _times(after),
        "runs that lost a lock, and say so": sum(run.has_lost_lock for run in evidence.runs.values()),
        "outputs without what was printed while the engine was dead": _with_gaps(evidence),
        "all runs over after the last fault": f"{facts.drained_seconds:.1f} s",
    }
    return "\n".join(["| what | how much |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _with_gaps(evidence: Evidence) -> int:
    """Count the runs of one attempt that ended by themselves and whose output is not all there."""
    ended = [run for run in evidence.runs.values() if run.attempt == 1 and run.exit_code == tool.exit_code(run.id)]
    stored = {run.id: b"".join(piece for _, piece in evidence.output.get(run.id, [])) for run in ended}
    return sum(stored[run.id] != b"".join(tool.lines(run.id)) for run in ended)


def _times(seconds: Sequence[float]) -> str:
    return " / ".join(f"{percentile(seconds, percent):.1f} s" for percent in (50, 95, 100))


def _complaints(complaints: Sequence[Complaint]) -> str:
    if not complaints:
        return "Lost runs, double starts, orphans, false states, broken logs, wrong bytes, wrong firings: **none**."
    kinds = Counter(complaint.kind for complaint in complaints)
    summed = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    return "\n".join([f"**Wrong: {summed}**", *(f"- {one.kind}: {one.text}" for one in complaints)])


def _commit() -> str:
    asked = ["git", "-c", "safe.directory=*", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
