"""From what a backend shows to what the record says: a pure function of the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.clock import utc_now
from app.executors.base import Observation, Phase
from app.models.run import Cause, RunStatus

TERMINATED = 143
KILLED = 137
STATUS_LOST = 255
_AMBIGUOUS_AFTER_AN_OUTAGE = (TERMINATED, KILLED, STATUS_LOST)
"""A container engine that was killed reports these for tools that ended otherwise, or that it ended itself."""


@dataclass(frozen=True)
class Outcome:
    """The final state of a run, why, and the sentence that says so to a person."""

    status: RunStatus
    cause: Cause
    message: str
    exit_code: int | None = None
    warnings: tuple[str, ...] = ()


def outcome_of(
    seen: Observation,
    *,
    timeout_seconds: int,
    stopped_by: str | None = None,
    had_ended_before_stop: bool = False,
    was_unobserved: bool = False,
) -> Outcome:
    """Judge an attempt that is over.

    ``stopped_by`` is who asked for a stop, ``had_ended_before_stop`` that the work was over when the stop came.
    ``was_unobserved`` says that the backend was out of reach for a part of the attempt, so that an exit status it may
    have made up is no evidence.
    """
    if seen.phase is Phase.GONE:
        return Outcome(
            RunStatus.IN_DOUBT, Cause.LOST, "The container is gone and left no exit code: removed from outside."
        )
    code = seen.exit_code
    if stopped_by and not had_ended_before_stop:
        return Outcome(RunStatus.ABORTED, Cause.CANCELLED, f"Stopped by {stopped_by}.", code)
    if _ran_out_of_time(seen, timeout_seconds):
        return Outcome(
            RunStatus.FAILED, Cause.TIMEOUT, f"Stopped after its time limit of {timeout_seconds} seconds.", code
        )
    if seen.is_oom:
        return _out_of_memory(code)
    if was_unobserved and code in _AMBIGUOUS_AFTER_AN_OUTAGE:
        return Outcome(
            RunStatus.IN_DOUBT, Cause.LOST, f"Exit code {code} came after the backend was out of reach.", code
        )
    if code is None:
        return Outcome(RunStatus.IN_DOUBT, Cause.LOST, "It ended and left no exit code.")
    if code == 0:
        return Outcome(RunStatus.SUCCEEDED, Cause.OK, "The tool ended with exit code 0.", code)
    detail = f": {seen.error}" if seen.error else "."
    return Outcome(RunStatus.FAILED, Cause.TOOL_ERROR, f"The tool ended with exit code {code}{detail}", code)


def times_of(seen: Observation | None, began: datetime | None) -> tuple[datetime | None, datetime]:
    """Give when an attempt started and ended: by the backend's clock where it shows both, else what is known.

    ``began`` is when we noted the start. The end is never before the start, whatever two clocks say.
    """
    started_at = (seen.started_at if seen else None) or began
    ended_at = (seen.ended_at if seen else None) or utc_now()
    return started_at, max(started_at or ended_at, ended_at)


def _ran_out_of_time(seen: Observation, timeout_seconds: int) -> bool:
    if seen.started_at is None or seen.ended_at is None:
        return False
    return (seen.ended_at - seen.started_at).total_seconds() >= timeout_seconds


def _out_of_memory(code: int | None) -> Outcome:
    if code == 0:
        warning = "A process of the tool was killed for want of memory, yet the tool ended with exit code 0."
        return Outcome(RunStatus.SUCCEEDED, Cause.OK, "The tool ended with exit code 0.", code, (warning,))
    return Outcome(RunStatus.FAILED, Cause.OOM, "Killed for want of memory; raise memory_mb in the tool's entry.", code)
