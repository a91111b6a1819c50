"""The judgement on what the storm left: pure functions from evidence to complaints, without any code of the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tests.chaos import tool
from tests.chaos.evidence import Evidence, RunRow
from tests.chaos.marks import Execution

FINAL = {"SUCCEEDED", "FAILED", "ABORTED", "IN_DOUBT"}
_LEGAL = {
    None: {"DEFINED", "WAITING_LOCKS"},
    "DEFINED": {"WAITING_LOCKS", "ABORTED"},
    "WAITING_LOCKS": {"PENDING_SUBMIT", "FAILED", "ABORTED"},
    "PENDING_SUBMIT": {"SUBMITTED", "WAITING_LOCKS", "ABORTING", "FAILED", "IN_DOUBT"},
    "SUBMITTED": {"RUNNING", "WAITING_LOCKS", "ABORTING", "SUCCEEDED", "FAILED", "IN_DOUBT"},
    "RUNNING": {"WAITING_LOCKS", "ABORTING", "SUCCEEDED", "FAILED", "IN_DOUBT"},
    "ABORTING": {"SUCCEEDED", "FAILED", "ABORTED", "IN_DOUBT"},
    "IN_DOUBT": {"SUCCEEDED", "FAILED", "ABORTED"},
}
_AROUND_SECONDS = 30.0
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Complaint:
    """Something that must not be: of which kind, and what is known of it."""

    kind: str
    text: str


def judge(evidence: Evidence) -> list[Complaint]:
    """Give everything that is wrong."""
    rules = (
        broken_storms,
        lost,
        never_true,
        repeated_submissions,
        double_starts,
        wrong_retries,
        orphans,
        false_states,
        unexplained_doubt,
        broken_logs,
        wrong_output,
        wrong_data,
        wrong_firings,
        lock_faults,
    )
    return [Complaint(rule.__name__.replace("_", " "), text) for rule in rules for text in rule(evidence)]


def broken_storms(evidence: Evidence) -> Iterator[str]:
    """A storm that was not what it should have been proves nothing."""
    yield from evidence.ledger.troubles


def lost(evidence: Evidence) -> Iterator[str]:
    """A run that the API accepted is there, and it is over."""
    for run_id in evidence.ledger.accepted():
        run = evidence.runs.get(run_id)
        if run is None:
            yield f"run {run_id} was accepted and is not there"
    for run in evidence.runs.values():
        if run.status not in FINAL:
            yield f"run {run.id} is {run.status} for ever"


def never_true(evidence: Evidence) -> Iterator[str]:
    """When everything is back, the record says what is true."""
    for run_id, attempt in evidence.never_right:
        yield f"run {run_id}, attempt {attempt}, was shown wrongly for a minute, and all parts were there"


def repeated_submissions(evidence: Evidence) -> Iterator[str]:
    """One idempotency key makes one run."""
    rows = Counter(run.description for run in evidence.runs.values() if run.job_id is None)
    for submission in evidence.ledger.submissions:
        if len(submission.answered) > 1 or rows[submission.key] > 1:
            yield f"key {submission.key} made {rows[submission.key]} runs, answered {sorted(submission.answered)}"


def double_starts(evidence: Evidence) -> Iterator[str]:
    """An attempt is one container, and a container is started once."""
    per_container = Counter((execution.run_id, execution.container) for execution in evidence.executions)
    for (run_id, container), count in per_container.items():
        if count > 1:
            yield f"run {run_id}: container {container} was started {count} times"
    per_run = Counter(execution.run_id for execution in evidence.executions)
    for run_id, count in per_run.items():
        run = evidence.runs.get(run_id)
        if run is None or count > run.attempt:
            yield f"run {run_id} was executed {count} times in {run.attempt if run else 0} attempts"
        for earlier, later in pairwise(evidence.of_run(run_id)):
            if earlier.ended is not None and later.began < earlier.ended:
                yield f"run {run_id} was executed again before the attempt before had ended"


def wrong_retries(evidence: Evidence) -> Iterator[str]:
    """A run whose tool fails for good has had all attempts that were asked for, and every attempt is recorded."""
    for run_id, submission in evidence.ledger.accepted().items():
        run = evidence.runs.get(run_id)
        if run and run.status == "FAILED" and run.cause == "tool_error" and run.tool_failures < submission.tool_retries:
            yield f"run {run_id} was given up after {run.tool_failures} of {submission.tool_retries} further attempts"
    for run in evidence.runs.values():
        numbers = [number for number, *_ in evidence.attempts.get(run.id, [])]
        if run.attempt and numbers != list(range(1, run.attempt)):
            yield f"run {run.id} is at its attempt {run.attempt}, and these are recorded: {numbers}"


def orphans(evidence: Evidence) -> Iterator[str]:
    """No container outlives its run by 60 seconds."""
    for run_id, attempt in evidence.orphans:
        yield f"the container of run {run_id}, attempt {attempt}, is still there"


def false_states(evidence: Evidence) -> Iterator[str]:
    """What the record says is what the tool did."""
    for run in evidence.runs.values():
        code, done = tool.exit_code(run.id), evidence.of_run(run.id)
        has_ended = bool(done) and done[-1].ended is not None
        if run.status == "SUCCEEDED" and (code, run.exit_code) != (0, 0):
            yield f"run {run.id} is SUCCEEDED with {run.exit_code}, and its tool ends with {code}"
        if run.status == "SUCCEEDED" and run.tool in evidence.published and not has_ended:
            yield f"run {run.id} is SUCCEEDED, and its tool never came to its end"
        if run.status == "FAILED" and run.cause == "tool_error" and (code == 0 or run.exit_code != code):
            yield f"run {run.id} is FAILED with {run.exit_code}, and its tool ends with {code}: {run.message}"
        if run.status == "FAILED" and run.cause != "tool_error" and not _is_excused(evidence, run):
            yield f"run {run.id} is FAILED, {run.cause}: {run.message}"
        if run.status == "ABORTED" and run.id not in evidence.ledger.stopped:
            yield f"run {run.id} is ABORTED, and nobody stopped it"


def unexplained_doubt(evidence: Evidence) -> Iterator[str]:
    """A run is in doubt only where the engine was away."""
    for run in evidence.runs.values():
        if run.status == "IN_DOUBT" and not around(evidence, run, ("engine",)):
            yield f"run {run.id} is IN_DOUBT, and the engine was there: {run.message}"


def broken_logs(evidence: Evidence) -> Iterator[str]:
    """The log of a run is an unbroken chain of legal changes that ends with its state."""
    for run in evidence.runs.values():
        state: str | None = None
        for change in evidence.changes.get(run.id, []):
            if change.old != state or change.new not in _LEGAL.get(change.old, set()):
                yield f"run {run.id} went from {change.old} to {change.new} when it was {state}"
            state = change.new
        if state != run.status:
            yield f"run {run.id} is {run.status}, and its log ends with {state}"


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
    if around(evidence, run, ("engine",)):
        # What a tool prints while its engine is dead is nowhere; what is there must be in order and there once.
        numbers = [expected.index(line) for line in data.splitlines(keepends=True) if line in expected]
        is_in_order = numbers == sorted(set(numbers))
        return None if is_in_order else f"its output repeats itself or is out of order: {numbers}"
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


def wrong_firings(evidence: Evidence) -> Iterator[str]:
    """Each due instant makes one run: every one that is expected is there, and no other."""
    rows = Counter((job, due) for job, due, _, _ in evidence.firings)
    yield from (f"job {job} fired {count} times for {due}" for (job, due), count in rows.items() if count > 1)
    made = Counter((run.job_id, run.due_at) for run in evidence.runs.values() if run.job_id)
    yield from (f"job {job} made {count} runs for {due}" for (job, due), count in made.items() if count > 1)
    fired = {(job, due) for job, due, outcome, run in evidence.firings if outcome == "fired" and run is not None}
    for appointment in evidence.ledger.appointments:
        # What is due after the end may have been fired or not when the evidence was gathered.
        due = {at for job, at in fired if job == appointment.job_id and at <= evidence.ended_at}
        expected = _minutes(appointment.at, evidence.ended_at if appointment.is_minutely else appointment.at)
        expected = {at for at in expected if at <= evidence.ended_at}
        if due != expected:
            yield f"job {appointment.job_id} is due at {sorted(expected - due)} and fired at {sorted(due - expected)}"
    for job, at in set(made) - fired:
        yield f"a run of job {job} for {at} has no firing"


def _minutes(first: datetime, end: datetime) -> set[datetime]:
    """Give every minute from the first one until the end."""
    return {first + number * _MINUTE for number in range((end - first) // _MINUTE + 1)}


def lock_faults(evidence: Evidence) -> Iterator[str]:
    """No lock is held for a run that is over, and two tools ran under one lock only where the record says why.

    A tool cannot be kept from going on when its agent is frozen for longer than the lock lasts. Then the record says
    that the lock was lost, and the one that comes later has the greater fencing token.
    """
    for key, value in evidence.lock_keys.items():
        yield f"the lock {key} is still held: {value.decode(errors='replace')[:80]}"
    for name in sorted({name for names in evidence.lock_runs.values() for name in names}):
        holders = [one for one in evidence.executions if name in evidence.lock_runs.get(one.tool, ())]
        yield from _without_token(holders)
        for earlier, later in pairwise(sorted(holders, key=lambda one: one.began)):
            if _has_lost(evidence, earlier) or _has_lost(evidence, later):
                continue
            if earlier.ended is not None and later.began < earlier.ended:
                yield f"runs {earlier.run_id} and {later.run_id} ran under the lock {name} at once"
            if int(later.token) <= int(earlier.token):
                yield f"run {later.run_id} came after run {earlier.run_id} under {name}, and its token before"


def _without_token(holders: list[Execution]) -> Iterator[str]:
    yield from (f"run {one.run_id} ran under a lock without a token" for one in holders if one.token == "0")


def _has_lost(evidence: Evidence, execution: Execution) -> bool:
    run = evidence.runs.get(execution.run_id)
    return run is not None and run.has_lost_lock


def around(evidence: Evidence, run: RunRow, parts: tuple[str, ...]) -> bool:
    """Tell whether one of the parts was broken while the run was live, or up to 30 seconds before or after."""
    if run.ended_at is None:
        return False
    began = run.defined_at.timestamp() - _AROUND_SECONDS
    ended = run.ended_at.timestamp() + _AROUND_SECONDS
    for incident in evidence.incidents:
        if incident.part in parts:
            since = incident.began + evidence.clock_offset
            until = (incident.returned or incident.began) + evidence.clock_offset
            if since <= ended and until >= began:
                return True
    return False


def _is_excused(evidence: Evidence, run: RunRow) -> bool:
    """A full disk excuses a run whose data cannot be kept, and a killed engine one that could not be started."""
    if run.cause == "data_unavailable":
        return around(evidence, run, ("data",))
    return run.cause == "backend_error" and around(evidence, run, ("data", "engine"))


def _status(evidence: Evidence, run_id: int) -> str:
    run = evidence.runs.get(run_id)
    return run.status if run else "not there"
