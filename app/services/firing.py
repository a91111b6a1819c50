"""The clock's work: turn due instants of jobs into runs, and record what became of each.

The firing, the run and the job's next instant are written in one transaction, so that a kill at any moment leaves
either all or nothing; the unique index on (job, due instant) forbids a second run for an instant. Jobs are taken in
batches, and each batch takes a few statements however many jobs are in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from app.clock import utc_now
from app.errors import Unavailable, WrongState
from app.models.job import FiringOutcome, Job, OverlapPolicy
from app.models.run import Run
from app.repositories.database import Database, Session, savepoint
from app.repositories.jobs import JobRepository, NewFiring
from app.repositories.runs import RunRepository
from app.services.job_edits import end_pause
from app.services.plans import parameters_of
from app.services.policies import fates_of
from app.services.runs import new_run, request_stop
from app.services.turns import next_turn

log = logging.getLogger(__name__)
UNPLANNED = "unplanned"
_BATCH = 100
_MINUTE_SECONDS = 60


class FiringService:
    """Fires what is due. At most ``catch_up_per_minute`` runs that make up for missed instants may begin in a minute.

    0 is no limit.
    """

    def __init__(self, database: Database, catch_up_per_minute: int) -> None:
        self._database = database
        self._apart = timedelta(seconds=_MINUTE_SECONDS / catch_up_per_minute if catch_up_per_minute else 0)

    def fire_due(self) -> datetime | None:
        """Fire every job that is due now, in batches; give the next instant at which one will be."""
        while True:
            try:
                count, following = self._fire_batch()
            except Unavailable:
                raise
            except Exception:
                log.exception("Jobs that are due cannot be fired together; now each by itself.")
                count, following = self._fire_each()
            if count < _BATCH:
                return following

    def _fire_batch(self) -> tuple[int, datetime | None]:
        with self._database.transaction() as session:
            jobs, now = JobRepository(session), utc_now()
            due = jobs.due(now, _BATCH)
            if due:
                self._fire(session, due, now)
            return len(due), jobs.next_due_at()

    def _fire_each(self) -> tuple[int, datetime | None]:
        """Fire each job by itself; one that cannot be fired is paused with the reason, and holds up no other.

        Raises:
            DatabaseDown: PostgreSQL refused, or somebody held a row too long. That is no fault of a job: nothing is
                changed, and all of them are tried again.
        """
        with self._database.transaction() as session:
            jobs, now = JobRepository(session), utc_now()
            due = jobs.due(now, _BATCH)
            for job in due:
                try:
                    with savepoint(session):
                        self._fire(session, [job], now)
                except Unavailable:
                    raise
                except Exception as error:
                    log.exception("Job %s cannot be fired and is paused.", job.id)
                    session.refresh(job)
                    job.paused_at, job.paused_until, job.next_run_at = now, None, None
                    job.pause_reason = f"its schedule cannot be used: {type(error).__name__}"
            return len(due), jobs.next_due_at()

    def _fire(self, session: Session, due: Sequence[Job], now: datetime) -> None:
        jobs, runs = JobRepository(session), RunRepository(session)
        live = runs.newest_live_of_jobs([job.id for job in due])
        turns = self._turns(jobs.last_turn(now), now)
        firings = [firing for job in due for firing in _firings(job, now, live.get(job.id), turns)]
        stored = jobs.record(firings, now)
        by_id = {job.id: job for job in due}
        made: dict[int, Run] = {}
        for firing in firings:
            if firing.key not in stored:
                log.warning("Job %s: what became of %s is recorded already.", firing.job_id, firing.due_at.isoformat())
            elif firing.outcome is FiringOutcome.FIRED:
                job = by_id[firing.job_id]
                if job.overlap == OverlapPolicy.REPLACE and job.id in live:
                    _stop_all(runs, job)
                made[stored[firing.key]] = _run_of(job, firing)
        if made:
            runs.add_of_jobs(list(made.values()))
            jobs.link({number: run.id for number, run in made.items()})
        _wake_up(due, now)
        jobs.move({job.id: next_turn(job, now) for job in due})

    def _turns(self, last: datetime | None, now: datetime) -> Iterator[datetime]:
        """Give the moments at which runs that make up for missed instants may begin, one after the other."""
        turn = now if last is None else max(now, last + self._apart)
        while True:
            yield turn
            turn += self._apart


def _firings(job: Job, now: datetime, live_run: int | None, turns: Iterator[datetime]) -> list[NewFiring]:
    return [
        NewFiring(job.id, job.owner, fate.due_at, fate.outcome, fate.reason, next(turns) if fate.is_late else None)
        for fate in fates_of(job, now, live_run)
    ]


def _run_of(job: Job, firing: NewFiring) -> Run:
    wishes = job.parameters
    return new_run(
        job.tool,
        parameters_of(wishes),
        labels=wishes.get("labels") or {},
        locks=wishes.get("locks") or [],
        has_runtime_variables=wishes.get("has_runtime_variables", False),
        submitter=job.submitter,
        owner=job.owner,
        description=job.description,
        backend=UNPLANNED,
        job_id=job.id,
        due_at=firing.due_at,
        not_before=firing.not_before,
    )


def _wake_up(due: Sequence[Job], now: datetime) -> None:
    """End the pauses that are over by themselves."""
    for job in due:
        if job.paused_at is not None and not job.is_paused(now):
            end_pause(job)


def _stop_all(runs: RunRepository, job: Job) -> None:
    for run in runs.live_of_job(job.id):
        try:
            request_stop(runs, run, f"job {job.id}")
        except WrongState:
            log.info("Run %s is being stopped already.", run.id)
