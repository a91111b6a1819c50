"""The judgement on what the storm left: pure functions from evidence to complaints, without any code of the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos import tool
from tests.chaos.contents import wrong_data, wrong_output
from tests.chaos.coordination import lock_faults, wrong_firings
from tests.chaos.evidence import Evidence
from tests.chaos.excuses import is_excused, was_away

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
        if run_id in evidence.ledger.stopped:
            # Whoever stops a run wants no further attempt of it, also where its tool had failed before.
            continue
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
        if run.status == "FAILED" and run.cause != "tool_error" and not is_excused(evidence, run):
            yield f"run {run.id} is FAILED, {run.cause}: {run.message}"
        if run.status == "ABORTED" and run.id not in evidence.ledger.stopped:
            yield f"run {run.id} is ABORTED, and nobody stopped it"


def unexplained_doubt(evidence: Evidence) -> Iterator[str]:
    """A run is in doubt only where the engine was away."""
    for run in evidence.runs.values():
        if run.status == "IN_DOUBT" and not was_away(evidence, run, ("engine: killed",)):
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
