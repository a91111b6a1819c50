"""Runs, as a user sees them: submit, show, list, wait, stop, read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.clock import utc_now
from app.errors import Invalid, WrongState, nearest
from app.models.event import RunEvent
from app.models.run import FINAL, HELD, Cause, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.listener import RunChanges
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services.plans import Planner

_POLL_SECONDS = 2.0
_CROWDED_SECONDS = 0.5
_TAIL_BYTES = 2**20
UNCLAIMED = "agent: no agent has taken it yet"


@dataclass(frozen=True)
class OutputPage:
    """A piece of a run's output: its bytes, the number of the first and of the next one, and how many there are.

    ``has_cut`` says that not all of them were kept.
    """

    data: bytes
    first_byte: int
    next_byte: int
    total_bytes: int
    has_cut: bool


class RunService:
    """One public method a use case. An identity without an ``_any`` permission reaches its owner's runs only."""

    def __init__(self, database: Database, planner: Planner, changes: RunChanges) -> None:
        self._database = database
        self._planner = planner
        self._changes = changes

    def submit(
        self,
        identity: Identity,
        tool_name: str,
        parameters: dict[str, Any],
        *,
        labels: dict[str, str] | None = None,
        description: str = "",
    ) -> int:
        """Accept a run of a tool and give its number; it is in PostgreSQL before this returns.

        ``parameters`` stand in for the entry's: ``command``, ``env``, ``publish``, ``timeout_seconds``.

        Raises:
            NotFound: no such tool or data set.
            Invalid: no backend serves the labels.
        """
        plan = self._planner.plan(tool_name, labels)
        with self._database.transaction() as session:
            run = new_run(
                tool_name,
                parameters,
                submitter=identity.identifier,
                owner=identity.owner,
                description=description,
                **plan,
            )
            return RunRepository(session).add(run, actor=identity.identifier).id

    def get(self, identity: Identity, run_id: int) -> Run:
        """Give a run.

        Raises:
            NotFound: there is none in reach.
        """
        with self._database.transaction() as session:
            return RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_READ_ANY))

    def list(
        self,
        identity: Identity,
        *,
        tool: str | None = None,
        status: str | None = None,
        owner: str | None = None,
        job_id: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> Sequence[Run]:
        """Give runs, newest first, beginning behind the run numbered ``after``.

        Raises:
            Invalid: ``status`` is no status.
        """
        reach = identity.reach(Permission.JOB_RUN_READ_ANY)
        if reach is not None and owner not in (None, reach):
            return []
        with self._database.transaction() as session:
            return RunRepository(session).list(
                tool=tool,
                statuses=None if status is None else [parse_status(status)],
                owner=reach or owner,
                job_id=job_id,
                after=after,
                limit=limit,
            )

    def wait(self, identity: Identity, run_id: int, timeout_seconds: float) -> Run:
        """Give the run as soon as it is final, or as it is when the time is over (sooner where too many wait)."""
        if self._changes.is_crowded:
            timeout_seconds = min(timeout_seconds, _CROWDED_SECONDS)
        deadline = time.monotonic() + timeout_seconds
        with self._changes.subscribe(run_id) as changed:
            while True:
                run = self.get(identity, run_id)
                left = deadline - time.monotonic()
                if RunStatus(run.status) in FINAL or left <= 0:
                    return run
                changed.wait(min(left, _POLL_SECONDS))
                changed.clear()

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

    def output(self, identity: Identity, run_id: int, start_byte: int, limit_bytes: int) -> OutputPage:
        """Give stored output from ``start_byte`` on."""
        self.get(identity, run_id)
        with self._database.transaction() as session:
            outputs = OutputRepository(session)
            first, data = outputs.read(run_id, start_byte, limit_bytes)
            return OutputPage(data, first, first + len(data), outputs.end(run_id), outputs.has_cut(run_id))

    def output_tail(self, identity: Identity, run_id: int, lines: int) -> OutputPage:
        """Give the last lines, at most 1 MiB of them."""
        self.get(identity, run_id)
        with self._database.transaction() as session:
            outputs = OutputRepository(session)
            first, data = outputs.tail(run_id, lines, _TAIL_BYTES)
            return OutputPage(data, first, first + len(data), outputs.end(run_id), outputs.has_cut(run_id))

    def events(self, identity: Identity, run_id: int) -> Sequence[RunEvent]:
        """Give the run's log, oldest first."""
        self.get(identity, run_id)
        with self._database.transaction() as session:
            return RunRepository(session).events(run_id)

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


def new_run(tool_name: str, parameters: dict[str, Any], *, submitter: str, owner: str, **columns: Any) -> Run:
    """Build the row of a run that waits for an agent."""
    now = utc_now()
    return Run(
        tool=tool_name,
        parameters=parameters,
        submitter=submitter,
        owner=owner,
        status=RunStatus.WAITING_LOCKS,
        waiting_for=UNCLAIMED,
        defined_at=now,
        submitted_at=now,
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


def parse_status(text: str) -> RunStatus:
    """Give the status of that name; ``SUCCEDED``, an older spelling, is understood.

    Raises:
        Invalid: there is no such status; the nearest one is named.
    """
    name = text.upper()
    if name == "SUCCEDED":
        return RunStatus.SUCCEEDED
    if name not in set(RunStatus):
        rule = nearest(name, RunStatus) or f"Must be one of {', '.join(RunStatus)}."
        raise Invalid(f"'{text[:40]}' is not a status.", fields={"status": [rule]})
    return RunStatus(name)
