"""Jobs and firings in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.errors import NotFound, nearest
from app.models.job import Firing, FiringOutcome, Job
from app.models.run import Run

JOB_CHANNEL = "mao_job"
"""Told when a job was added or changed, so that the clock looks again at what is due next."""

FiringKey = tuple[str, datetime]


@dataclass(frozen=True)
class NewFiring:
    """What became of a due instant of a job; ``not_before`` is when its run may begin, where it has to wait."""

    job_id: str
    owner: str
    due_at: datetime
    outcome: FiringOutcome
    reason: str
    not_before: datetime | None = None

    @property
    def key(self) -> FiringKey:
        """What makes a firing the only one."""
        return self.job_id, self.due_at


class JobRepository:
    """Queries about jobs, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, job_id: str, *, is_locked: bool = False) -> Job | None:
        """Give the job, or None; with ``is_locked`` nobody else can change it before the transaction ends."""
        query = select(Job).where(Job.id == job_id)
        return self._session.scalar(query.with_for_update() if is_locked else query)

    def get(self, job_id: str, *, owner: str | None = None, is_locked: bool = False) -> Job:
        """Give the job; with ``owner`` only one of that owner's.

        Raises:
            NotFound: there is none; the nearest known one is named.
        """
        job = self.find(job_id, is_locked=is_locked)
        if job is None or owner not in (None, job.owner):
            known = self._session.scalars(select(Job.id).where(*_of(owner)).order_by(Job.id).limit(1000))
            raise NotFound(f"There is no job '{job_id}'.", hint=nearest(job_id, known))
        return job

    def add(self, job: Job) -> None:
        """Store a new job."""
        self._session.add(job)
        self._session.flush()

    def remove(self, job_id: str) -> None:
        """Delete a job; its firings stay."""
        self._session.execute(delete(Job).where(Job.id == job_id))

    def list(self, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[tuple[Job, int | None]]:
        """Give jobs in the order of their ids, beginning behind ``after``, each with the number of its last run."""
        last_run = _newest_run(Job.id).correlate(Job).scalar_subquery()
        rows = self._session.execute(
            select(Job, last_run).where(Job.id > after, *_of(owner)).order_by(Job.id).limit(limit)
        )
        return [(job, run_id) for job, run_id in rows]

    def last_run(self, job_id: str) -> int | None:
        """Give the number of a job's newest run, or None."""
        return self._session.scalar(_newest_run(job_id))

    def due(self, now: datetime, limit: int = 100) -> Sequence[Job]:
        """Take up to ``limit`` jobs that are due, the longest overdue first; others skip the ones taken."""
        return list(
            self._session.scalars(
                select(Job)
                .where(Job.next_run_at <= now)
                .order_by(Job.next_run_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        )

    def next_due_at(self) -> datetime | None:
        """Give the earliest instant at which any job is due."""
        return self._session.scalar(
            select(Job.next_run_at).where(Job.next_run_at.is_not(None)).order_by(Job.next_run_at).limit(1)
        )

    def move(self, turns: Mapping[str, datetime | None]) -> None:
        """Set when each of these jobs fires next, in one statement."""
        self._session.execute(_MOVE, {"ids": list(turns), "turns": list(turns.values())})

    def in_zones(self, now: datetime, after: str, limit: int) -> Sequence[Job]:
        """Take jobs that will be due by the clock of a zone, in the order of their ids; others skip the ones taken."""
        wanted = (Job.id > after, Job.zone != "UTC", ~Job.is_once, Job.next_run_at > now)
        query = select(Job).where(*wanted).order_by(Job.id).limit(limit).with_for_update(skip_locked=True)
        return list(self._session.scalars(query))

    def record(self, firings: Sequence[NewFiring], now: datetime) -> dict[FiringKey, int]:
        """Store what became of due instants, and give the numbers of the rows; what is recorded already stays as it is.

        An instant that is missing in the answer was recorded before.
        """
        if not firings:
            return {}
        rows = [{**vars(firing), "recorded_at": now} for firing in firings]
        statement = insert(Firing).on_conflict_do_nothing(index_elements=["job_id", "due_at"])
        stored = self._session.execute(statement.returning(Firing.id, Firing.job_id, Firing.due_at), rows)
        return {(job_id, due_at): number for number, job_id, due_at in stored}

    def link(self, runs: Mapping[int, int]) -> None:
        """Note the run of each firing, given as number of the firing -> number of the run."""
        self._session.execute(_LINK, {"ids": list(runs), "runs": list(runs.values())})

    def last_turn(self, now: datetime) -> datetime | None:
        """Give the latest moment that was handed out to a run which makes up for a missed instant.

        What a clock that was ahead has recorded, later than ``now``, does not count.
        """
        given = (Firing.not_before.is_not(None), Firing.recorded_at <= now)
        return self._session.scalar(select(Firing.not_before).where(*given).order_by(Firing.not_before.desc()).limit(1))

    def first_firing(self, job: Job, first: datetime, until: datetime | None = None) -> Firing | None:
        """Give the first firing whose instant is at ``first`` or later, and before ``until``.

        What fired for another owner, whose the id was before, does not count.
        """
        wanted = [Firing.job_id == job.id, Firing.owner == job.owner, Firing.due_at >= first]
        if until is not None:
            wanted.append(Firing.due_at < until)
        return self._session.scalar(select(Firing).where(*wanted).order_by(Firing.due_at).limit(1))

    def firings(
        self, job_id: str, *, owner: str | None = None, after: datetime | None = None, limit: int = 100
    ) -> Sequence[Firing]:
        """Give a job's firings, newest first, beginning behind (earlier than) ``after``.

        With ``owner`` only those of the time in which the job was that owner's.
        """
        query = select(Firing).where(Firing.job_id == job_id)
        if owner is not None:
            query = query.where(Firing.owner == owner)
        if after is not None:
            query = query.where(Firing.due_at < after)
        return list(self._session.scalars(query.order_by(Firing.due_at.desc()).limit(limit)))

    def announce(self) -> None:
        """Wake the clock when this transaction commits."""
        self._session.execute(select(func.pg_notify(JOB_CHANNEL, "")))


_MOVE = text("""
    update jobs set next_run_at = moved.turn
      from unnest(cast(:ids as varchar[]), cast(:turns as timestamptz[])) as moved (id, turn)
     where jobs.id = moved.id
""")
_LINK = text("""
    update firings set run_id = made.run
      from unnest(cast(:ids as bigint[]), cast(:runs as bigint[])) as made (id, run)
     where firings.id = made.id
""")


def _newest_run(job_id: str | InstrumentedAttribute[str]) -> Select[int]:
    query = select(Run.id).where(Run.job_id == job_id)
    return query.order_by(Run.defined_at.desc(), Run.id.desc()).limit(1)


def _of(owner: str | None) -> list[ColumnElement[bool]]:
    return [] if owner is None else [Job.owner == owner]
