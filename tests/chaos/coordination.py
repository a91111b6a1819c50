"""Rules of the judgement on what runs have in common: schedules and locks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from tests.chaos.evidence import Evidence
from tests.chaos.marks import Execution

_MINUTE = timedelta(minutes=1)


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
