"""The agent's own work in a clone: no run uses the clone meanwhile, and whatever happens it is given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import DatabaseDown
from app.models.clone import BUSY, CloneState
from app.repositories.agents import AgentRepository
from app.repositories.clones import CloneRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext

_RETRY_SECONDS = 1.0


@contextmanager
def claimed(context: AgentContext, name: str) -> Iterator[bool]:
    """Take a clone, unless a run or somebody else has it in use, and give whether it is ours; then give it back.

    A run holds its clone from its claim to its final row, through any kill, so what it has half done is never moved.
    What we have when we are killed is asked for again by the next agent.
    """
    is_ours = _take(context, name)
    try:
        yield is_ours
    finally:
        if is_ours:
            move_on(context, name, CloneState.READY if context.workdirs.exists(name) else CloneState.FAILED)


def move_on(context: AgentContext, name: str, new: CloneState, **columns: object) -> None:
    """Move a clone on from ``CLONING`` as soon as the database answers, unless another agent has taken over.

    Raises:
        Superseded: one has, and the clone is its own affair.
    """
    while not context.lost.is_set():
        try:
            with context.database.transaction() as session:
                AgentRepository(session).hold_term(context.node, context.epoch)
                CloneRepository(session).change(name, CloneState.CLONING, new, **columns)
            return
        except DatabaseDown:
            context.lost.wait(_RETRY_SECONDS)


def _take(context: AgentContext, name: str) -> bool:
    with context.database.transaction() as session:
        AgentRepository(session).hold_term(context.node, context.epoch)
        clones = CloneRepository(session)
        clones.lock(name)
        if RunRepository(session).holder_of(name) is not None:
            return False
        clone = clones.find(name)
        if clone is None:
            return True
        return clone.state not in BUSY and clones.change(name, CloneState(clone.state), CloneState.CLONING)
