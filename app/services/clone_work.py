"""The agent's side of clones: make, refresh and remove them as asked."""

from __future__ import annotations

import logging
import time
from typing import Any

from app.errors import DatabaseDown, MaoError, Superseded
from app.models.clone import Clone, CloneState
from app.models.dataset import History
from app.repositories.agents import AgentRepository
from app.repositories.clones import CloneRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.clone_claims import move_on

log = logging.getLogger(__name__)
_PROGRESS_EVERY_SECONDS = 0.5


def work_on_clones(context: AgentContext) -> None:
    """Do everything that is asked for, one clone after the other."""
    with context.database.transaction() as session:
        wanted = CloneRepository(session).wanted()
    for clone in wanted:
        if clone.state == CloneState.REMOVING:
            _remove(context, clone)
        elif _begin(context, clone):
            _clone(context, clone)


def _begin(context: AgentContext, clone: Clone) -> bool:
    """Note that the clone is being made, unless a run has begun to use it; no run begins to from then on."""
    with context.database.transaction() as session:
        AgentRepository(session).hold_term(context.node, context.epoch)
        clones = CloneRepository(session)
        clones.lock(clone.name)
        if RunRepository(session).holder_of(clone.name) is not None:
            return False
        return clones.change(clone.name, CloneState.REQUESTED, CloneState.CLONING)


def _clone(context: AgentContext, clone: Clone) -> None:
    # What is cut short, as by a database that goes away meanwhile, is asked for again.
    state, columns = CloneState.REQUESTED, dict[str, Any]()
    try:
        state, columns = _made(context, clone)
    finally:
        move_on(context, clone.name, state, **columns)


def _made(context: AgentContext, clone: Clone) -> tuple[CloneState, dict[str, Any]]:
    """Do what is asked for and give the state that the clone has then, and what is known of it."""
    try:
        head = _head_of(context, clone)
        facts = context.workdirs.state(clone.name)
    except (DatabaseDown, Superseded):
        raise
    except MaoError as error:
        log.warning("The data set %s could not be cloned: %s", clone.name, error.message)
        is_there = context.workdirs.exists(clone.name)
        return CloneState.READY if is_there else CloneState.FAILED, {"message": error.message}
    known = {"progress_percent": 100, "head_commit": head or None, "size_bytes": facts.size_bytes}
    return CloneState.READY, {"message": "", **known}


def _head_of(context: AgentContext, clone: Clone) -> str:
    """Make or refresh a clone, or make a retrieved snapshot, and give its head."""
    progress = _Progress(context, clone.name)
    if clone.commit is None:
        history = clone.history or History.FULL
        return context.workdirs.clone(clone.name, clone.url, clone.branch or "", progress=progress, history=history)
    return context.workdirs.clone_at(clone.name, clone.url, clone.commit, progress=progress)


def _remove(context: AgentContext, clone: Clone) -> None:
    try:
        context.workdirs.remove(clone.name, is_forced=clone.is_removal_forced)
    except Superseded:
        raise
    except MaoError as error:
        with context.database.transaction() as session:
            AgentRepository(session).hold_term(context.node, context.epoch)
            clones = CloneRepository(session)
            clones.change(clone.name, CloneState.REMOVING, CloneState.READY, message=error.message)
        return
    with context.database.transaction() as session:
        AgentRepository(session).hold_term(context.node, context.epoch)
        CloneRepository(session).remove(clone.name)


class _Progress:
    """Stores how far git has come, at most twice a second."""

    def __init__(self, context: AgentContext, name: str) -> None:
        self._context = context
        self._name = name
        self._stored_at = 0.0

    def __call__(self, percent: int, stage: str) -> None:
        if time.monotonic() - self._stored_at < _PROGRESS_EVERY_SECONDS:
            return
        self._stored_at = time.monotonic()
        with self._context.database.transaction() as session:
            CloneRepository(session).set_progress(self._name, percent, stage)
