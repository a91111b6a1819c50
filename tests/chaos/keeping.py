"""What is kept of a storm for the one who looks into a complaint: the rows, the marks, the faults, and the clones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.evidence import Evidence


def keep(evidence: Evidence, data: Path, logs: Path) -> None:
    """Write a line a run to ``runs.jsonl``, a line a fault to ``faults.jsonl``, and copy the clones."""
    _write(logs / "runs.jsonl", _runs(evidence))
    _write(logs / "faults.jsonl", _faults(evidence))
    shutil.copytree(data, logs / "data", symlinks=True, dirs_exist_ok=True)


def _runs(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for run in evidence.runs.values():
        yield {
            **asdict(run),
            "changes": [asdict(change) for change in evidence.changes.get(run.id, [])],
            "attempts": evidence.attempts.get(run.id, []),
            "executions": [asdict(execution) for execution in evidence.of_run(run.id)],
            "was_stopped": run.id in evidence.ledger.stopped,
        }


def _faults(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for incident in evidence.incidents:
        yield {**asdict(incident), "at": incident.began + evidence.clock_offset}


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
