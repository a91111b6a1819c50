"""What people do to runs that exist already: start, refresh, resolve."""

from __future__ import annotations

from typing import Any

from app.clock import utc_now
from app.errors import Invalid, WrongState
from app.models.run import Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.doubt import CAUSES, end_doubt
from app.services.runs import UNCLAIMED, parse_status


class RunChangeService:
    """One public method a use case. Without ``job_run_change_any`` an identity reaches its owner's runs only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, identity: Identity, run_id: int) -> Run:
        """Let a run that was submitted with a manual start wait for an agent, and give it.

        Raises:
            NotFound: there is no such run in reach.
            WrongState: it was started or stopped already.
        """
        with self._database.transaction() as session:
            runs = RunRepository(session)
            run = runs.get(run_id, owner=identity.reach(Permission.JOB_RUN_CHANGE_ANY))
            _check_is(run, RunStatus.DEFINED, "started")
            columns: dict[str, Any] = {"submitted_at": utc_now(), "waiting_for": UNCLAIMED}
            return _changed(
                run_id,
                runs.change(run_id, RunStatus.DEFINED, RunStatus.WAITING_LOCKS, actor=identity.identifier, **columns),
            )

    def refresh(self, identity: Identity, run_id: int) -> Run:
        """Ask the agent to look at the run and its backend now, and give the run as it is before that.

        Raises:
            NotFound: there is no such run in reach.
        """
        with self._database.transaction() as session:
            runs = RunRepository(session)
            run = runs.get(run_id, owner=identity.reach(Permission.JOB_RUN_CHANGE_ANY))
            runs.wake(run_id, RunStatus(run.status))
            return run

    def resolve(self, identity: Identity, run_id: int, status_name: str, reason: str) -> Run:
        """Say how a run in doubt went, and give it. Its files stay where they are.

        Raises:
            NotFound: there is no such run in reach.
            WrongState: it is not in doubt.
            Invalid: a run cannot be resolved as that.
        """
        status = _resolution(status_name)
        with self._database.transaction() as session:
            runs = RunRepository(session)
            run = runs.get(run_id, owner=identity.reach(Permission.JOB_RUN_CHANGE_ANY))
            _check_is(run, RunStatus.IN_DOUBT, "resolved")
            message = f"Resolved as {status} by {identity.identifier}: {reason}"
            return end_doubt(runs, run, status, actor=identity.identifier, message=message)


def _resolution(name: str) -> RunStatus:
    status = parse_status(name)
    if status not in CAUSES:
        rule = f"Must be one of {', '.join(CAUSES)}."
        raise Invalid(f"No run can be resolved as {status}.", fields={"status": [rule]})
    return status


def _check_is(run: Run, status: RunStatus, done: str) -> None:
    if run.status != status:
        raise WrongState(f"Run {run.id} is {run.status}, and only a run that is {status} can be {done}.")


def _changed(run_id: int, run: Run | None) -> Run:
    if run is None:
        raise WrongState(f"Run {run_id} has just changed its state.", hint="Look at it and try again.")
    return run
