"""Secrets of tools: where they come from, and how what was laid out of them goes."""

from __future__ import annotations

import logging

from app.executors import secret_folders
from app.models.run import FINAL, Run, RunStatus
from app.models.tool import Tool
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext

log = logging.getLogger(__name__)
_WITHHELD = "The run has a command or variables of its own, so it gets no secrets."


def secrets_dir_of(context: AgentContext, run: Run) -> str | None:
    """Give the folder of the secrets that the run gets, or None where there are none for it."""
    return _kept_for(context, run.tool) if _does_as_registered(run) else None


def warnings_of(context: AgentContext, run: Run) -> list[str]:
    """Give the warning for the run's record where its tool has secrets that the run does not get."""
    return [] if _does_as_registered(run) or _kept_for(context, run.tool) is None else [_WITHHELD]


def _does_as_registered(run: Run) -> bool:
    """Tell whether the run does what the entry says; with a command or variables of its own it could print secrets."""
    tool = Tool.from_dict(run.tool_entry or {})
    command, env = run.parameters.get("command"), run.parameters.get("env") or {}
    is_as_registered = not command or tuple(command) == tool.command
    return is_as_registered and not run.parameters.get("arguments") and env.items() <= tool.env.items()


def _kept_for(context: AgentContext, tool_name: str) -> str | None:
    """Give the folder in which the operator keeps a tool's secrets, or None where there is none."""
    # The tool's name obeys the rule for names, so it is never a path.
    folder = context.settings.working_environment.secretsdir / tool_name
    return str(folder) if folder.exists() or folder.is_symlink() else None


def remove_secrets(context: AgentContext, run: Run) -> None:
    """Remove what was laid out for the run's present attempt."""
    try:
        secret_folders.remove(context.installation, run.id, run.attempt)
    except OSError as error:
        log.warning("The secrets of run %s are left for the sweep: %s", run.id, error.strerror)


def sweep_secrets(context: AgentContext) -> None:
    """Remove what was laid out for attempts that are over, also by agents that were killed."""
    secret_folders.remove_unfinished(context.installation)
    for run_id, attempt in stale_secrets(context.database, context.installation):
        secret_folders.remove(context.installation, run_id, attempt)


def stale_secrets(database: Database, installation: str) -> list[tuple[int, int]]:
    """Give run and attempt of what is laid out for attempts that are over."""
    found = secret_folders.laid_out(installation)
    if not found:
        return []
    with database.transaction() as session:
        known = RunRepository(session).attempts([run_id for run_id, _ in found])
    return [(run_id, attempt) for run_id, attempt in found if _is_over(attempt, known.get(run_id))]


def _is_over(attempt: int, row: tuple[RunStatus, int] | None) -> bool:
    if row is None:
        return True
    status, newest = row
    # A run that waits has no attempt under way. A claim that PostgreSQL forgot in a crash is made again with the same
    # number, which is then greater than the row's.
    return status in FINAL or attempt < newest or (status == RunStatus.WAITING_LOCKS and attempt == newest)
