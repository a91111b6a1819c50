"""Rules of the judgement on what runs leave: their output and their data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos import tool
from tests.chaos.evidence import Evidence, RunRow
from tests.chaos.excuses import was_away, was_killed_meanwhile


def wrong_output(evidence: Evidence) -> Iterator[str]:
    """Each byte is there once, at its place; only a killed tool or a killed engine may have cost any."""
    for run in evidence.runs.values():
        position, data = 0, b""
        for start, piece in evidence.output.get(run.id, []):
            if start != position:
                yield f"run {run.id}: a piece of its output begins at {start}, and the one before ends at {position}"
            position, data = start + len(piece), data + piece
        firsts = [first for _, _, _, first in evidence.attempts.get(run.id, [])] + [run.output_base]
        ends = [*firsts[1:], len(data)]
        for number, (first, following) in enumerate(zip(firsts, ends, strict=True), start=1):
            if problem := _problem_of(evidence, run, data[first:following], is_last=number == len(firsts)):
                yield f"run {run.id}, attempt {number}: {problem}"


def _problem_of(evidence: Evidence, run: RunRow, data: bytes, *, is_last: bool) -> str | None:
    expected = tool.lines(run.id)
    if data == b"".join(expected):
        return None
    if was_killed_meanwhile(evidence, run) or (not is_last and was_away(evidence, run, ("engine: killed",))):
        # What a tool prints while its engine is dead is nowhere; what is there must be in order and there once.
        numbers = [expected.index(line) for line in data.splitlines(keepends=True) if line in expected]
        return None if numbers == sorted(set(numbers)) else f"its output repeats itself or is out of order: {numbers}"
    is_cut = run.status in ("ABORTED", "IN_DOUBT", "FAILED") and run.exit_code != tool.exit_code(run.id)
    if (is_cut or not is_last) and b"".join(expected).startswith(data):
        return None
    return f"it printed {len(b''.join(expected))} bytes, and {len(data)} others are stored ({run.status})"


def wrong_data(evidence: Evidence) -> Iterator[str]:
    """The data branch holds what good runs wrote, all of it, each once, and nothing of other runs."""
    for name, marks in evidence.published.items():
        for mark, count in Counter(marks).items():
            if count > 1:
                yield f"{name}: {mark} was committed {count} times"
        begun = Counter(int(mark.split(",")[1]) for mark in set(marks) if mark.startswith("begin,"))
        good = {run.id for run in evidence.runs.values() if run.tool == name and run.status == "SUCCEEDED"}
        for run_id in good ^ set(begun):
            yield f"{name}: run {run_id} is {_status(evidence, run_id)} and has {begun[run_id]} marks in the data"


def _status(evidence: Evidence, run_id: int) -> str:
    run = evidence.runs.get(run_id)
    return run.status if run else "not there"
