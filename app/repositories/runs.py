"""Runs and their event log. A run's status changes in one function only: ``RunRepository.change``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.errors import NotFound, WrongState
from app.models.event import RunEvent
from app.models.run import FINAL, HELD, Run, RunStatus, may_follow

RUN_CHANNEL = "mao_run"
"""Every change of a run's status is told here, as ``<run id>:<new status>``."""

FINAL_CHANNEL = "mao_run_final"
"""The number of every run that became final; those who wait for one need to hear nothing else."""


class RunRepository:
    """Queries about runs, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, run: Run, *, actor: str) -> Run:
        """Store a new run, with the first row of its log; its number is set afterwards."""
        self._session.add(run)
        self._session.flush()
        self._log(run.id, None, RunStatus(run.status), actor, None)
        return run

    def add_of_jobs(self, runs: Sequence[Run]) -> None:
        """Store new runs that jobs have made, in a few statements however many they are; their numbers are set."""
        self._session.add_all(runs)
        self._session.flush()
        columns = [(run.id, run.status, f"job {run.job_id}") for run in runs]
        ids, statuses, actors = ([row[number] for row in columns] for number in range(3))
        row = {"ids": ids, "statuses": statuses, "actors": actors, "at": utc_now(), "channel": RUN_CHANNEL}
        self._session.execute(_LOG_NEW, row)

    def get(self, run_id: int, *, owner: str | None = None) -> Run:
        """Give a run; with ``owner`` only one of that owner's.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        run = self._session.get(Run, run_id) if abs(run_id) < 2**63 else None
        if run is None or (owner is not None and run.owner != owner):
            raise NotFound(f"There is no run {run_id}.", hint="List the runs with: maoctl run list")
        return run

    def change(
        self,
        run_id: int,
        old: RunStatus,
        new: RunStatus,
        *,
        actor: str,
        cause: str | None = None,
        epoch: int | None = None,
        **values: Any,
    ) -> Run | None:
        """Move a run from ``old`` to ``new`` by one conditional UPDATE, and log it.

        Gives the run as it is then, or None where no row was changed. With ``epoch`` the row changes only while that
        agent's epoch owns it. ``values`` are further columns to set; warnings are added to those that are there.

        Raises:
            WrongState: no run may ever go from ``old`` to ``new``.
        """
        if not may_follow(old, new):
            raise WrongState(f"A run that is {old} cannot become {new}.")
        row = {"status": new, **values}
        # A run that waits for another attempt has no cause; its log says why the attempt before ended.
        if cause is not None and new is not RunStatus.WAITING_LOCKS:
            row["cause"] = cause
        if new in FINAL:
            row |= {"waiting_for": None, "ended_at": values.get("ended_at") or utc_now()}
        if "warnings" in values:
            row["warnings"] = _and_those_there(values["warnings"])
        statement = update(Run).where(Run.id == run_id, Run.status == old)
        if epoch is not None:
            statement = statement.where(Run.agent_epoch == epoch)
        query = statement.values(row).returning(Run)
        query = query.execution_options(populate_existing=True, synchronize_session=False)
        changed = self._session.scalars(query).first()
        if changed is not None:
            self._log(run_id, old, new, actor, cause)
        return changed

    def data_url_of(self, run_id: int) -> str | None:
        """Give the address of the data that a run had; None where it had none or is gone."""
        return self._session.scalar(select(Run.data_url).where(Run.id == run_id))

    def set(self, run_id: int, *, epoch: int | None = None, **values: Any) -> bool:
        """Set columns other than the status; with ``epoch`` only while that agent's epoch owns the run."""
        statement = update(Run).where(Run.id == run_id)
        if epoch is not None:
            statement = statement.where(Run.agent_epoch == epoch)
        return self._session.execute(statement.values(values).returning(Run.id)).first() is not None

    def wake(self, run_id: int, status: RunStatus) -> None:
        """Tell the listeners of this run to look at it when the transaction commits."""
        self._session.execute(select(func.pg_notify(RUN_CHANNEL, f"{run_id}:{status}")))

    def adopt(self, epoch: int) -> Sequence[int]:
        """Make every live run the property of ``epoch``; give the numbers of those that were not yet."""
        return list(
            self._session.scalars(
                update(Run)
                .where(Run.status.in_(HELD), Run.ended_at.is_(None), Run.agent_epoch.is_distinct_from(epoch))
                .values(agent_epoch=epoch)
                .returning(Run.id)
            )
        )

    def held(self) -> Sequence[int]:
        """Give the numbers of the live runs."""
        return list(self._session.scalars(select(Run.id).where(Run.status.in_(HELD), Run.ended_at.is_(None))))

    def attempts(self, run_ids: Sequence[int]) -> dict[int, tuple[RunStatus, int]]:
        """Give status and attempt of those of the runs that exist."""
        rows = self._session.execute(select(Run.id, Run.status, Run.attempt).where(Run.id.in_(run_ids)))
        return {run_id: (RunStatus(status), attempt) for run_id, status, attempt in rows}

    def newest_live_of_jobs(self, job_ids: Sequence[str]) -> dict[str, int]:
        """Give the number of the newest unfinished run of each of the jobs that has one."""
        query = select(Run.job_id, func.max(Run.id)).where(Run.job_id.in_(job_ids), Run.ended_at.is_(None))
        return {str(job_id): number for job_id, number in self._session.execute(query.group_by(Run.job_id))}

    def owner_of_job(self, job_id: str) -> str | None:
        """Give the owner of a job's newest run, or None where it has none; the job itself may be gone."""
        query = select(Run.owner).where(Run.job_id == job_id).order_by(Run.id.desc()).limit(1)
        return self._session.scalar(query)

    def live_of_job(self, job_id: str) -> Sequence[Run]:
        """Give the unfinished runs of a job."""
        return list(
            self._session.scalars(select(Run).where(Run.job_id == job_id, Run.ended_at.is_(None)).order_by(Run.id))
        )

    def holder_of(self, clone: str) -> int | None:
        """Give the number of the run that has the clone in use, or None."""
        return self._session.scalar(select(Run.id).where(Run.clone == clone, Run.status.in_(HELD)))

    def is_clone_wanted(self, clone: str) -> bool:
        """Tell whether a run that is not over works in the clone, or will."""
        query = select(Run.id).where(Run.ended_at.is_(None), Run.clone == clone).limit(1)
        return self._session.scalar(query) is not None

    def replay_of(self, run_id: int, replay_id: int | None = None) -> Run | None:
        """Give the newest replay of a run that succeeded, or None; with ``replay_id`` that very one.

        Raises:
            NotFound: that one is no replay of the run that succeeded.
        """
        query = select(Run).where(Run.replay_of == run_id, Run.status == RunStatus.SUCCEEDED)
        if replay_id is None:
            return self._session.scalar(query.order_by(Run.id.desc()).limit(1))
        replay = self._session.scalar(query.where(Run.id == replay_id))
        if replay is None:
            raise NotFound(f"Run {replay_id} is no replay of run {run_id} that succeeded.")
        return replay

    def unsettled(self, clone: str) -> Sequence[Run]:
        """Give the runs whose files are still to be set aside from the clone, oldest first."""
        query = select(Run).where(Run.clone == clone, Run.is_unsettled).order_by(Run.id)
        return list(self._session.scalars(query))

    def events(self, run_id: int) -> Sequence[RunEvent]:
        """Give a run's log, oldest first."""
        return list(
            self._session.scalars(select(RunEvent).where(RunEvent.run_id == run_id).order_by(RunEvent.id).limit(1000))
        )

    def _log(self, run_id: int, old: RunStatus | None, new: RunStatus, actor: str, cause: str | None) -> None:
        row = {"run_id": run_id, "at": utc_now(), "from": old, "to": new, "actor": actor, "cause": cause}
        self._session.execute(_LOG, {**row, "channel": RUN_CHANNEL, "told": f"{run_id}:{new}"})
        if new in FINAL:
            self._session.execute(select(func.pg_notify(FINAL_CHANNEL, str(run_id))))


def _and_those_there(warnings: Sequence[str]) -> ColumnElement[Any]:
    """Give the warnings of the row with those of ``warnings`` that are new.

    The caller knows the row as it was when the attempt began, and others may have warned since.
    """
    given = func.jsonb_array_elements(cast(list(warnings), JSONB)).column_valued("given")
    new = select(func.jsonb_agg(given)).where(~Run.warnings.contains(given)).correlate(Run).scalar_subquery()
    return Run.warnings.concat(func.coalesce(new, cast([], JSONB)))


_LOG_NEW = text("""
    with new as (
        select * from unnest(cast(:ids as bigint[]), cast(:statuses as varchar[]), cast(:actors as varchar[]))
            as new (run_id, status, actor)
    ), logged as (
        insert into run_events (run_id, at, to_status, actor) select run_id, :at, status, actor from new
    )
    select pg_notify(:channel, run_id || ':' || status) from new
""")
_LOG = text("""
    with logged as (
        insert into run_events (run_id, at, from_status, to_status, actor, cause)
        values (:run_id, :at, :from, :to, :actor, :cause)
    )
    select pg_notify(:channel, :told)
""")
