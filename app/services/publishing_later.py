"""What is done in a clone between its runs: decisions about files that were kept out of it, and pushes that are due.

The clone is taken for it as for any work of the agent's own: commits move, and a run that is between its commit and
its final row must find its own where it left it.
"""

from __future__ import annotations

from app.clock import utc_now
from app.repositories.publishing import PublishRepository
from app.services.agent_context import AgentContext
from app.services.clone_claims import claimed
from app.services.publishing import push
from app.services.quarantine_work import finish_decisions


def work_on_decisions(context: AgentContext) -> None:
    """Do what was decided, one clone after the other; what a run is in the way of comes again."""
    with context.database.transaction() as session:
        asked = PublishRepository(session).asked()
    for clone in dict.fromkeys(run.clone or "" for run in asked):
        _work_in(context, clone)


def push_due(context: AgentContext) -> None:
    """Push what is due of every clone that no run has in use; the others push at the end of their runs, or later."""
    with context.database.transaction() as session:
        clones = PublishRepository(session).due_clones(utc_now())
    for clone in clones:
        _work_in(context, clone)


def _work_in(context: AgentContext, clone: str) -> None:
    if context.lost.is_set():
        return
    with claimed(context, clone) as is_ours:
        if not is_ours:
            return
        finish_decisions(context, clone)
        with context.database.transaction() as session:
            waiting = PublishRepository(session).open_of(clone)
        if any(run.push_due_at is not None and run.push_due_at <= utc_now() for run in waiting):
            push(context, clone, waiting)
