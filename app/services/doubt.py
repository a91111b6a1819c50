"""How doubt about a run ends, whoever ends it: a person, or the run's backend."""

from __future__ import annotations

from typing import Any

from app.errors import WrongState
from app.models.run import Cause, Run, RunStatus
from app.repositories.runs import RunRepository

CAUSES = {
    RunStatus.SUCCEEDED: Cause.OK,
    RunStatus.FAILED: Cause.TOOL_ERROR,
    RunStatus.ABORTED: Cause.CANCELLED,
}
"""What a run in doubt may become, each with the cause that it then has."""


def end_doubt(runs: RunRepository, run: Run, status: RunStatus, *, actor: str, message: str) -> Run:
    """Make a run that is in doubt what somebody knows it to be, and give it.

    Raises:
        WrongState: it has been changed meanwhile.
    """
    columns: dict[str, Any] = {
        "message": message,
        "ended_at": run.ended_at,
        "report": _completed(run, status, message),
    }
    changed = runs.change(run.id, RunStatus.IN_DOUBT, status, actor=actor, cause=CAUSES[status], **columns)
    if changed is None:
        raise WrongState(f"Run {run.id} has just changed its state.", hint="Look at it and try again.")
    return changed


def _completed(run: Run, status: RunStatus, message: str) -> dict[str, Any] | None:
    """Give the report as it was, with how the doubt ended; what the agent saw stays to be read."""
    if run.report is None:
        return None
    text = f"{run.report.get('text', '')}\n{' '.join(message.split())}"
    told = {"status": status, "cause": CAUSES[status], "reason": message, "text": text}
    return {**run.report, **told}
