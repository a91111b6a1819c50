"""Files that were kept out of the data: somebody decides what becomes of them, the agent does it."""

from __future__ import annotations

from app.errors import WrongState
from app.models.run import QuarantineState, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.clones import CloneRepository
from app.repositories.database import Database
from app.repositories.publishing import PublishRepository
from app.repositories.runs import RunRepository


class QuarantineService:
    """One public method a use case. Without ``job_run_change_any`` an identity reaches its owner's runs only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def promote(self, identity: Identity, run_id: int, *, is_forced: bool = False) -> Run:
        """Ask the agent to make the files that are kept of a run part of the data, and give the run.

        Raises:
            NotFound: there is no such run in reach.
            WrongState: nothing is held of it; or the run has not succeeded, and nobody forces it.
        """
        return self._decide(identity, run_id, QuarantineState.PROMOTING, is_forced=is_forced)

    def discard(self, identity: Identity, run_id: int) -> Run:
        """Ask the agent to remove the files that are kept of a run, and give the run; errors as for promoting."""
        return self._decide(identity, run_id, QuarantineState.DISCARDING, is_forced=True)

    def _decide(self, identity: Identity, run_id: int, state: QuarantineState, *, is_forced: bool) -> Run:
        with self._database.transaction() as session:
            runs = RunRepository(session)
            run = runs.get(run_id, owner=identity.reach(Permission.JOB_RUN_CHANGE_ANY))
            if not is_forced and _is_doubtful(run):
                raise _may_be_half_written(run)
            if not PublishRepository(session).decide(run_id, state, identity.identifier):
                raise _nothing_held(run)
            CloneRepository(session).announce()
            session.expire_all()
            return runs.get(run_id)


def _is_doubtful(run: Run) -> bool:
    is_held = run.quarantine_state == QuarantineState.HELD and run.ended_at is not None
    return is_held and run.status != RunStatus.SUCCEEDED


def _may_be_half_written(run: Run) -> WrongState:
    return WrongState(
        f"Run {run.id} is {run.status}: its files may be half written, and promoting makes them data.",
        hint=f"Look at them: git show --stat quarantine/{run.id} in the data directory. "
        f"If they are whole: maoctl dataset promote {run.id} --force",
    )


def _nothing_held(run: Run) -> WrongState:
    if run.quarantine_state is None or run.ended_at is None:
        return WrongState(f"Nothing of run {run.id} is kept out of the data.")
    return WrongState(
        f"The files of run {run.id} are not held any more: they are {run.quarantine_state}.",
        hint=f"Look at the run: maoctl run get {run.id}",
    )
