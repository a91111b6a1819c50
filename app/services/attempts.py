"""Whether a run has another attempt, when, and what the record keeps of the one before.

Failures of the infrastructure (the backend, the image, the data, an engine that died under the tool) and failures of
the tool itself are counted apart, each against the number that the run was submitted with. The pause doubles from one
failure to the next, and is spread so that runs which failed together do not come back together.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from app.clock import utc_now
from app.errors import WrongState
from app.executors.base import Observation
from app.executors.outcomes import Outcome, times_of
from app.models.attempt import RunAttempt
from app.models.run import Cause, Run, RunStatus
from app.repositories.attempts import AttemptRepository
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.finishing import Settlement
from app.services.output_buffer import OutputBuffer

_OF_THE_TOOL = frozenset({Cause.TOOL_ERROR, Cause.TIMEOUT, Cause.OOM})
_OF_THE_INFRASTRUCTURE = frozenset({Cause.BACKEND_ERROR, Cause.DATA_UNAVAILABLE, Cause.IMAGE_MISSING, Cause.LOST})
_LONGEST_PAUSE_SECONDS = 600.0


def next_failures(run: Run, outcome: Outcome) -> dict[str, int] | None:
    """Give the column that counts this failure, with its new value, or None where no further attempt is allowed."""
    if run.status == RunStatus.ABORTING or outcome.status in (RunStatus.SUCCEEDED, RunStatus.ABORTED):
        return None
    if outcome.cause in _OF_THE_TOOL and run.tool_failures < run.parameters.get("tool_retries", 0):
        return {"tool_failures": run.tool_failures + 1}
    allowed = run.parameters.get("infrastructure_retries", 0)
    if outcome.cause in _OF_THE_INFRASTRUCTURE and run.infrastructure_failures < allowed:
        return {"infrastructure_failures": run.infrastructure_failures + 1}
    return None


def pause_seconds(failures: int, first_seconds: float) -> float:
    """Give the pause after so many failures of one kind: doubled each time, ten minutes at most, less up to a half."""
    longest: float = min(first_seconds * 2 ** (failures - 1), _LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, protects nothing


def record_attempt(
    context: AgentContext,
    run: Run,
    settled: Settlement,
    failures: dict[str, int],
    buffer: OutputBuffer | None,
    seen: Observation | None,
) -> Run:
    """Keep what is known of the attempt that has ended, and let the run wait for the next one, all or nothing.

    Raises:
        WrongState: the row was changed since it was read, or another agent owns it; nothing is written then.
    """
    pause = pause_seconds(max(failures.values()), context.settings.limits.retry_seconds)
    not_before = utc_now() + timedelta(seconds=pause)
    if buffer is not None and buffer.warning:
        settled.warnings.append(buffer.warning)
    rest = buffer.close() if buffer is not None else []
    with context.database.transaction() as session:
        outputs = OutputRepository(session)
        if not all(outputs.append(run.id, start, data, epoch=context.epoch) for start, data in rest):
            raise WrongState(f"Run {run.id} belongs to another agent now.")
        AttemptRepository(session).add(_attempt_of(run, settled.outcome, seen))
        waiting = RunRepository(session).change(
            run.id,
            RunStatus(run.status),
            RunStatus.WAITING_LOCKS,
            actor=context.actor,
            cause=settled.outcome.cause,
            epoch=context.epoch,
            **_columns(run, settled, not_before, outputs.end(run.id)),
            **failures,
        )
        if waiting is None:
            raise WrongState(f"Run {run.id} was changed by somebody else.")
    return waiting


def _attempt_of(run: Run, outcome: Outcome, seen: Observation | None) -> RunAttempt:
    started_at, ended_at = times_of(seen, run.started_at)
    return RunAttempt(
        run_id=run.id,
        number=run.attempt,
        node=run.node,
        handle=run.handle,
        image_digest=run.image_digest,
        started_at=started_at,
        ended_at=ended_at,
        exit_code=outcome.exit_code,
        cause=outcome.cause,
        message=outcome.message,
        first_byte=run.output_base,
    )


def _columns(run: Run, settled: Settlement, not_before: datetime, output_base: int) -> dict[str, Any]:
    """Give the row as it is while nobody owns it; the lease stays, for whoever keeps the locks to give it back."""
    when = not_before.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "message": settled.outcome.message,
        "waiting_for": f"schedule: begins at {when}, because attempt {run.attempt} failed",
        "not_before": not_before,
        "agent_epoch": None,
        "handle": None,
        "started_at": None,
        "lock_token": None,
        "output_base": output_base,
        "is_unsettled": settled.is_unsettled,
        "warnings": settled.warnings,
    }
