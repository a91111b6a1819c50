"""The agent's side of decisions about files that were kept out of the data: promote or discard them as asked."""

from __future__ import annotations

import logging
from typing import Any

from app.clock import utc_now
from app.errors import DatabaseDown, MaoError, NotFound, Superseded, Unavailable
from app.models.run import PushState, QuarantineState, Run
from app.models.tool import Publish
from app.repositories.agents import AgentRepository
from app.repositories.clones import CloneRepository
from app.repositories.publishing import PublishRepository
from app.services.agent_context import AgentContext
from app.services.deciding import accept_run, reject_run
from app.services.publishing import policy_of, trailers_of
from app.services.requests import run_date

log = logging.getLogger(__name__)


def finish_decisions(context: AgentContext, clone: str) -> None:
    """Do what was decided about runs of a clone that the caller holds, oldest first.

    Done before anything else moves the branch, lest the commit of a promotion that was cut short be moved unrecorded.
    What cannot be done now, because a system is away, is told in the run's row and comes again.

    Raises:
        Unavailable: the database is away, or another agent has taken over.
    """
    with context.database.transaction() as session:
        asked = PublishRepository(session).asked(clone)
    for run in asked:
        if not context.lost.is_set():
            _decide(context, run, clone)


def _decide(context: AgentContext, run: Run, clone: str) -> None:
    asked = QuarantineState(run.quarantine_state or "")
    try:
        if asked is QuarantineState.DISCARDING:
            _discard(context, run, clone)
        else:
            _promote(context, run, clone)
    except (DatabaseDown, Superseded):
        raise
    except Unavailable as error:
        log.warning("The decision about run %s has to wait: %s", run.id, error.message)
        _settle(context, run, asked, quarantine_message=f"{error.message} It is tried again by itself.")
    except MaoError as error:
        log.warning("The decision about run %s could not be carried out: %s", run.id, error.message)
        sentence = f"{error.message} {error.hint}" if error.hint else error.message
        _settle(context, run, QuarantineState.HELD, quarantine_message=sentence)


def _promote(context: AgentContext, run: Run, clone: str) -> None:
    """Put the run's files onto the branch, on top of what is there now; pushing the commit is due then."""
    if not context.workdirs.is_promoted(clone, run.id):
        context.workdirs.refresh(clone, run.data_url or "", run.data_branch or "")
    trailers = {**trailers_of(context, run), "Mao-Promoted-By": run.quarantine_decided_by or ""}
    commit = context.workdirs.promote(clone, run.id, f"sync {run_date(run)}", trailers)
    columns: dict[str, Any] = {"output_commit": commit, "original_commit": commit, "quarantine_message": None}
    if policy_of(run) == Publish.PUSH:
        columns |= {"push_state": PushState.PENDING, "push_due_at": utc_now()}
    _settle(context, run, QuarantineState.PROMOTED, head=context.workdirs.head(clone), **columns)


def _discard(context: AgentContext, run: Run, clone: str) -> None:
    try:
        context.workdirs.discard(clone, run.id)
    except NotFound:
        log.info("The clone '%s' is gone, and with it what was kept of run %s.", clone, run.id)
    _settle(context, run, QuarantineState.DISCARDED, quarantine_message=None)


def _settle(context: AgentContext, run: Run, new: QuarantineState, head: str | None = None, **columns: Any) -> None:
    """Note what became of a decision and, where it moved the branch, the clone's ``head``: both or neither.

    What was made data is right, so the numbers that its run reported are accepted with it, and rejected with files that
    were thrown away.
    """
    with context.database.transaction() as session:
        AgentRepository(session).hold_term(context.node, context.epoch)
        old = QuarantineState(run.quarantine_state or "")
        if not PublishRepository(session).settle(run.id, old, new, **columns):
            log.warning("The decision about run %s was settled by somebody else.", run.id)
        elif head is not None:
            CloneRepository(session).set_head(run.clone or "", head)
            accept_run(session, run, run.quarantine_decided_by or context.actor, utc_now())
        elif new is QuarantineState.DISCARDED:
            reject_run(session, run, run.quarantine_decided_by or context.actor, utc_now())
