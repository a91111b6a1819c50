"""Where a run's data are: in the clone of its data set, in a replay's own work tree, or nowhere."""

from __future__ import annotations

from typing import Any

from app.errors import BackendFailed, Conflict, Invalid, RemoteDown
from app.models.dataset import History
from app.models.run import Cause, QuarantineState, Run
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.clones import check_no_snapshot
from app.services.quarantine_work import finish_decisions
from app.services.replay_plans import ReplayPlan, plan_of


def data_dir_of(context: AgentContext, run: Run) -> str | None:
    """Give the folder that the run writes to, or None for a tool that keeps no data."""
    replay = plan_of(run)
    if replay is not None and replay.clone:
        return str(context.workdirs.replay_path(run.id))
    return str(context.workdirs.path(run.clone)) if run.clone else None


def ready_data(context: AgentContext, run: Run) -> dict[str, Any]:
    """Bring the run's data into place and give the columns that tell what they were before the tool began.

    Raises:
        BackendFailed: with cause ``data_unavailable``: they cannot be had.
    """
    replay = plan_of(run)
    try:
        if replay is not None:
            return _ready_replay(context, run, replay)
        return _ready_clone(context, run, run.clone) if run.clone else {}
    except (RemoteDown, Conflict, Invalid) as error:
        raise BackendFailed(error.message, cause=Cause.DATA_UNAVAILABLE, hint=error.hint) from error


def _ready_clone(context: AgentContext, run: Run, clone: str) -> dict[str, Any]:
    workdirs, warnings = context.workdirs, list[str]()
    with context.database.transaction() as session:
        check_no_snapshot(session, clone)
    _set_aside_what_is_left(context, clone)
    finish_decisions(context, clone)
    if workdirs.exists(clone):
        refreshed = workdirs.refresh(clone, run.data_url or "", run.data_branch or "")
        warnings += [refreshed.warning] if refreshed.warning else []
    else:
        _clone(context, run, clone)
    return {
        "baseline_tree": workdirs.baseline(clone),
        "input_commit": workdirs.head(clone) or None,
        "warnings": warnings,
    }


def _clone(context: AgentContext, run: Run, clone: str) -> None:
    history = run.data_history or History.FULL
    context.workdirs.clone(clone, run.data_url or "", run.data_branch or "", history=history)


def _set_aside_what_is_left(context: AgentContext, clone: str) -> None:
    """Do what could not be done when an earlier run ended, lest its files become part of this one's."""
    with context.database.transaction() as session:
        unsettled = RunRepository(session).unsettled(clone)
    for earlier in unsettled:
        columns = dict[str, Any]()
        if earlier.baseline_tree is not None:
            commit = context.workdirs.quarantine(clone, earlier.baseline_tree, earlier.id)
            columns = {"quarantine_state": QuarantineState.HELD, "quarantine_commit": commit} if commit else {}
        with context.database.transaction() as session:
            RunRepository(session).set(earlier.id, is_unsettled=False, **columns)


def _ready_replay(context: AgentContext, run: Run, replay: ReplayPlan) -> dict[str, Any]:
    if not replay.clone:
        return {}
    if not context.workdirs.exists(replay.clone):
        _clone(context, run, replay.clone)
    context.workdirs.write_replay(replay.clone, run.id, replay.tree)
    return {"baseline_tree": replay.tree, "input_commit": replay.commit or None}
