"""Runs, as a user sees them: show, search, wait, stop, read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from app.clock import utc_now
from app.errors import Invalid, WrongState, nearest
from app.models.attempt import RunAttempt
from app.models.event import RunEvent
from app.models.run import FINAL, HELD, Cause, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.attempts import AttemptRepository
from app.repositories.database import Database
from app.repositories.listener import RunChanges
from app.repositories.run_prefixes import search_begun
from app.repositories.run_search import Position, RunFilter
from app.repositories.runs import RunRepository

_POLL_SECONDS = 2.0
UNCLAIMED = "agent: no agent has taken it yet"


class RunService:
    """One public method a use case. An identity without an ``_any`` permission reaches its owner's runs only."""

    def __init__(self, database: Database, changes: RunChanges) -> None:
        self._database = database
        self._changes = changes

    def get(self, identity: Identity, run_id: int) -> Run:
        """Give a run.

        Raises:
            NotFound: there is none in reach.
        """
        with self._database.transaction() as session:
            return RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_READ_ANY))

    def search(
        self, identity: Identity, wanted: Mapping[str, Any], after: Position | None = None, limit: int = 100
    ) -> Sequence[Run]:
        """Give runs, newest first, beginning behind the position ``after``.

        ``wanted`` holds fields of ``RunFilter``, with ``states`` (their names) and ``text`` in place of ``statuses``
        and ``words``. What is None restricts nothing.

        Raises:
            Invalid: one of the states is none, or too many commits or digests begin as is asked.
        """
        asked = {name: value for name, value in wanted.items() if value is not None}
        asked["statuses"] = tuple(dict.fromkeys(parse_status(name, "states") for name in asked.pop("states", ())))
        asked["words"] = tuple(asked.pop("text", "").split())
        reach = identity.reach(Permission.JOB_RUN_READ_ANY)
        if reach is not None and asked.setdefault("owner", reach) != reach:
            return []
        with self._database.transaction() as session:
            return search_begun(session, RunFilter(**asked), after=after, limit=limit)

    def wait(self, identity: Identity, run_id: int, timeout_seconds: float) -> Run:
        """Give the run as soon as it is final, or as it is when the time is over; at once where too many wait."""
        changed = self._changes.take_place(run_id)
        if changed is None:
            return self.get(identity, run_id)
        deadline = time.monotonic() + timeout_seconds
        try:
            while True:
                run = self.get(identity, run_id)
                left = deadline - time.monotonic()
                if RunStatus(run.status) in FINAL or left <= 0:
                    return run
                changed.wait(min(left, _POLL_SECONDS))
                changed.clear()
        finally:
            self._changes.leave(run_id, changed)

    def stop(self, identity: Identity, run_id: int, *, is_forced: bool = False) -> Run:
        """Stop a run: at once where it has not begun, else by asking the agent; give the run as it is then.

        Raises:
            WrongState: it is over, or it is being stopped already (and ``is_forced`` adds nothing).
        """
        with self._database.transaction() as session:
            runs = RunRepository(session)
            run = runs.get(run_id, owner=identity.reach(Permission.JOB_RUN_ABORT_ANY))
            request_stop(runs, run, identity.identifier, is_forced=is_forced)
            session.refresh(run)
            return run

    def events(self, identity: Identity, run_id: int) -> Sequence[RunEvent]:
        """Give the run's log, oldest first."""
        self.get(identity, run_id)
        with self._database.transaction() as session:
            return RunRepository(session).events(run_id)

    def attempts(self, identity: Identity, run_id: int) -> Sequence[RunAttempt]:
        """Give the run's attempts before the present one, oldest first."""
        self.get(identity, run_id)
        with self._database.transaction() as session:
            return AttemptRepository(session).list(run_id)

    def report(self, identity: Identity, run_id: int) -> dict[str, Any]:
        """Give the report of a run that is over.

        Raises:
            WrongState: it is not over, or it ended before there was anything to report.
        """
        run = self.get(identity, run_id)
        if run.report is None:
            raise WrongState(
                f"Run {run_id} is {run.status} and has no report.",
                hint=f"Wait for it with: maoctl run wait {run_id}" if RunStatus(run.status) not in FINAL else None,
            )
        return run.report


def new_run(
    tool_name: str,
    parameters: dict[str, Any],
    *,
    submitter: str,
    owner: str,
    is_manual_start: bool = False,
    **columns: Any,
) -> Run:
    """Build the row of a run that waits for an agent, or first for somebody who starts it."""
    now = utc_now()
    return Run(
        tool=tool_name,
        parameters=parameters,
        submitter=submitter,
        owner=owner,
        status=RunStatus.DEFINED if is_manual_start else RunStatus.WAITING_LOCKS,
        waiting_for=None if is_manual_start else UNCLAIMED,
        is_manual_start=is_manual_start,
        defined_at=now,
        submitted_at=None if is_manual_start else now,
        **columns,
    )


def request_stop(runs: RunRepository, run: Run, actor: str, *, is_forced: bool = False) -> None:
    """Stop a run that has not begun, or ask its agent to stop it.

    Raises:
        WrongState: it is over, or being stopped already.
    """
    status = RunStatus(run.status)
    asked: dict[str, Any] = {"stop_requested_at": utc_now(), "stop_requested_by": actor, "is_stop_forced": is_forced}
    if status in FINAL:
        raise WrongState(f"Run {run.id} is over: {status}.", hint="Only a run that is not final can be stopped.")
    if status is RunStatus.ABORTING:
        if not is_forced or run.is_stop_forced:
            raise WrongState(f"Run {run.id} is being stopped already.", hint="Kill it at once with: --force")
        runs.set(run.id, is_stop_forced=True)
        runs.wake(run.id, status)
        return
    if status in HELD:
        is_changed = runs.change(run.id, status, RunStatus.ABORTING, actor=actor, cause=Cause.CANCELLED, **asked)
    else:
        message = f"Stopped by {actor} before it began."
        is_changed = runs.change(
            run.id, status, RunStatus.ABORTED, actor=actor, cause=Cause.CANCELLED, message=message, **asked
        )
    if not is_changed:
        raise WrongState(f"Run {run.id} has just changed its state.", hint="Look at it and try again.")


def parse_status(text: str, field: str = "status") -> RunStatus:
    """Give the status of that name; ``SUCCEDED``, an older spelling, is understood.

    Raises:
        Invalid: there is no such status; the nearest one is named.
    """
    name = text.upper()
    if name == "SUCCEDED":
        return RunStatus.SUCCEEDED
    if name not in set(RunStatus):
        rule = nearest(name, RunStatus) or f"Must be one of {', '.join(RunStatus)}."
        raise Invalid(f"'{text[:40]}' is not a status.", fields={field: [rule]})
    return RunStatus(name)
