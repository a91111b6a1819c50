"""Publishing what runs have committed: at the end of each run, and again later where that did not go.

What is committed is safe, so a remote that is away or refuses makes no run fail. The rows follow the clone in steps
that may be cut short: where each commit lies, then the clone's own note, then the state. A repetition asks the clone,
which recognises every commit wherever it lies.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.clock import utc_now
from app.errors import BackendFailed, Conflict, Invalid, MaoError, NotFound, RemoteDown
from app.models.run import Cause, PushState, Run
from app.models.tool import Publish
from app.models.ulid import ulid
from app.repositories.clone_publishing import Published, Target
from app.repositories.database import Session
from app.repositories.notifications import NotificationRepository
from app.repositories.publishing import PublishRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.requests import run_date, tool_of

log = logging.getLogger(__name__)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
_AT_END_SECONDS = 60.0
_MOST_DOUBLINGS = 16
_TRIED_AGAIN = "It is tried again by itself."


def policy_of(run: Run) -> str:
    """Give what is to become of a good run's files."""
    return str(run.parameters.get("publish") or tool_of(run).publish)


def trailers_of(context: AgentContext, run: Run) -> dict[str, str]:
    """Give what a run's commit says of it."""
    return {
        "Mao-Run": str(run.id),
        "Mao-Tool": run.tool,
        "Mao-Image": run.image_digest or "none",
        "Mao-Node": context.node,
        "Mao-Input": run.input_commit or "none",
    }


def publish_run(context: AgentContext, run: Run) -> tuple[Run, list[str]]:
    """Commit what a good run wrote and, where that is its policy, push it; give its row then, and warnings.

    Safe to repeat after a kill at any point.
    """
    policy = policy_of(run)
    if run.clone is None or policy == Publish.NONE:
        return run, []
    commit = run.output_commit
    if commit is None:
        subject, trailers = f"sync {run_date(run)}", trailers_of(context, run)
        commit = context.workdirs.commit(run.clone, subject, trailers, run.id, run.input_commit)
    if commit is None:
        return run, []
    columns: dict[str, Any] = {"output_commit": commit, "original_commit": run.original_commit or commit}
    if policy == Publish.PUSH:
        columns |= {"push_state": PushState.PENDING, "push_due_at": utc_now()}
    run = _noted(context, run, columns)
    return _pushed_at_end(context, run) if policy == Publish.PUSH else (run, [])


def _noted(context: AgentContext, run: Run, columns: dict[str, Any]) -> Run:
    with context.database.transaction() as session:
        runs = RunRepository(session)
        runs.set(run.id, epoch=context.epoch, **columns)
        session.expire_all()
        return runs.get(run.id)


def _pushed_at_end(context: AgentContext, run: Run) -> tuple[Run, list[str]]:
    push(context, run.clone or "", [run], _AT_END_SECONDS)
    with context.database.transaction() as session:
        run = RunRepository(session).get(run.id)
    return run, [] if run.push_state == PushState.PUSHED else [run.push_message or _TRIED_AGAIN]


def push(context: AgentContext, clone: str, runs: Sequence[Run], seconds: float | None = None) -> None:
    """Push a clone's commits for ``runs``, which wait for it, and note what became of them. The caller holds the clone.

    Raises:
        Unavailable: a system other than the git server is away.
    """
    newest = runs[-1]
    target = Target(
        url=newest.data_url or "",
        branch=newest.data_branch or "",
        conflict_branch=f"conflict/{context.node}/{newest.id}",
        day=utc_now().date().isoformat(),
        expected=[run.output_commit for run in runs if run.output_commit],
    )
    try:
        _note_published(context, clone, runs, context.workdirs.publish(clone, target, seconds))
    except (RemoteDown, BackendFailed, Conflict, NotFound, Invalid) as error:
        _note_failure(context, clone, runs, error)


def _note_published(context: AgentContext, clone: str, runs: Sequence[Run], published: Published) -> None:
    moved = {**published.landed, **{ours: commit for ours, (commit, _) in published.aside.items()}}
    with context.database.transaction() as session:
        PublishRepository(session).move_commits(clone, moved)
    context.workdirs.mark_published(clone, published)
    with context.database.transaction() as session:
        rows = PublishRepository(session)
        rows.note(clone, published.landed.values(), PushState.PUSHED, None)
        for run in rows.note(clone, _commits(published), PushState.CONFLICT, _conflict_message(published)):
            _notify(session, run, published)
    missing = [run for run in runs if run.output_commit not in moved]
    if missing:
        message = "The commit is on no branch of the remote and not on the clone's: the history was rewritten."
        _note_all(context, missing, PushState.REFUSED, f"{message} It is kept on a branch backup/<date>.", None)


def _commits(published: Published) -> list[str]:
    return [commit for commit, _ in published.aside.values()]


def _conflict_message(published: Published) -> str:
    return f"{published.message} Merge that branch by hand, or leave it; later runs publish as usual."


def _notify(session: Session, run: Run, published: Published) -> None:
    branches = {branch for commit, branch in published.aside.values() if commit == run.output_commit}
    NotificationRepository(session).add(
        ulid=ulid(utc_now(), secrets.token_bytes(10)),
        kind="conflict",
        tool=run.tool,
        run_id=run.id,
        summary=_conflict_message(published),
        values={"dataset": run.clone, "commit": run.output_commit, "branch": min(branches, default="")},
    )


def _note_failure(context: AgentContext, clone: str, runs: Sequence[Run], error: MaoError) -> None:
    log.warning("The commits of '%s' were not pushed: %s", clone, error.message)
    may_pass = isinstance(error, RemoteDown) or (
        isinstance(error, BackendFailed) and error.cause != Cause.DATA_UNAVAILABLE
    )
    state = PushState.PENDING if may_pass else PushState.REFUSED
    # A clone that is gone took its commits along; nobody can push them any more.
    is_over = isinstance(error, NotFound)
    cure = "" if is_over else f" {_TRIED_AGAIN}"
    hint = f" {error.hint}" if error.hint and not may_pass else ""
    due_at = None if is_over else utc_now() + pause_after(max(run.push_failures for run in runs) + 1)
    _note_all(context, runs, state, f"Committed, but not pushed: {error.message}{hint}{cure}", due_at)


def pause_after(failures: int) -> timedelta:
    """Give how long to wait after so many failures: a minute, then twice as long each time, up to an hour."""
    doublings: int = min(failures - 1, _MOST_DOUBLINGS)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _note_all(
    context: AgentContext, runs: Sequence[Run], state: PushState, message: str, due_at: datetime | None
) -> None:
    with context.database.transaction() as session:
        for run in runs:
            PublishRepository(session).note_failure(run.id, state, message, due_at)
