"""The agent's side of decisions about files that were kept out of the data: promote or discard them as asked."""

from __future__ import annotations

import logging
from typing import Any

from app.clock import utc_now
from app.errors import MaoError, NotFound, Unavailable
from app.models.clone import BUSY, CloneState
from app.models.run import PushState, QuarantineState, Run
from app.models.tool import Publish
from app.repositories.clones import CloneRepository
from app.repositories.publishing import PublishRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.publishing import policy_of, push, trailers_of
from app.services.requests import run_date

log = logging.getLogger(__name__)


def work_on_decisions(context: AgentContext) -> None:
    """Do what was decided, one run after the other; what a run is in the way of comes again."""
    with context.database.transaction() as session:
        asked = PublishRepository(session).asked()
    for run in asked:
        if not context.lost.is_set() and _begin(context, run.clone or ""):
            _decide(context, run, run.clone or "")


def _begin(context: AgentContext, name: str) -> bool:
    """Take the clone, unless a run or somebody else has it in use; no run begins to from then on."""
    with context.database.transaction() as session:
        clones = CloneRepository(session)
        clones.lock(name)
        clone = clones.find(name)
        if clone is None:
            return True
        if clone.state in BUSY or RunRepository(session).holder_of(name) is not None:
            return False
        return clones.change(name, CloneState(clone.state), CloneState.CLONING)


def _decide(context: AgentContext, run: Run, clone: str) -> None:
    head = None
    try:
        if run.quarantine_state == QuarantineState.DISCARDING:
            _discard(context, run, clone)
        else:
            head = _promote(context, run, clone)
    except Unavailable:
        raise
    except MaoError as error:
        log.warning("The decision about run %s could not be carried out: %s", run.id, error.message)
        sentence = f"{error.message} {error.hint}" if error.hint else error.message
        _settle(context, run, QuarantineState.HELD, quarantine_message=sentence)
    _give_back(context, clone, head)
    if head is not None and policy_of(run) == Publish.PUSH:
        with context.database.transaction() as session:
            promoted = RunRepository(session).get(run.id)
        push(context, clone, [promoted])


def _promote(context: AgentContext, run: Run, clone: str) -> str:
    """Put the run's files onto the branch, on top of what is there now, and give the commit."""
    context.workdirs.refresh(clone, run.data_url or "", run.data_branch or "")
    trailers = {**trailers_of(context, run), "Mao-Promoted-By": run.quarantine_decided_by or ""}
    commit = context.workdirs.promote(clone, run.id, f"sync {run_date(run)}", trailers)
    columns: dict[str, Any] = {"output_commit": commit, "original_commit": commit, "quarantine_message": None}
    if policy_of(run) == Publish.PUSH:
        columns |= {"push_state": PushState.PENDING, "push_due_at": utc_now()}
    _settle(context, run, QuarantineState.PROMOTED, **columns)
    return commit


def _discard(context: AgentContext, run: Run, clone: str) -> None:
    try:
        context.workdirs.discard(clone, run.id)
    except NotFound:
        log.info("The clone '%s' is gone, and with it what was kept of run %s.", clone, run.id)
    _settle(context, run, QuarantineState.DISCARDED, quarantine_message=None)


def _settle(context: AgentContext, run: Run, new: QuarantineState, **columns: Any) -> None:
    with context.database.transaction() as session:
        PublishRepository(session).settle(run.id, QuarantineState(run.quarantine_state or ""), new, **columns)


def _give_back(context: AgentContext, name: str, head: str | None) -> None:
    state = CloneState.READY if context.workdirs.exists(name) else CloneState.FAILED
    columns = {"head_commit": head} if head else {}
    with context.database.transaction() as session:
        CloneRepository(session).change(name, CloneState.CLONING, state, **columns)
