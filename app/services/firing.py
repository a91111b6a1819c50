"""The clock's work: turn due instants of jobs into runs, and record what became of each.

The firing, the run and the job's next instant are written in one transaction, so that a kill at any moment leaves
either all or nothing; the unique index on (job, due instant) forbids a second run for an instant.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from app.clock import utc_now
from app.errors import WrongState
from app.models.job import Firing, FiringOutcome, Job, MisfirePolicy, OverlapPolicy
from app.repositories.database import Database, Session
from app.repositories.jobs import JobRepository
from app.repositories.runs import RunRepository
from app.services.jobs import schedule_of
from app.services.occurrences import due_between, next_after
from app.services.runs import new_run, request_stop

log = logging.getLogger(__name__)
UNPLANNED = "unplanned"
_BATCH = 20
_MOST_RECORDED = 1000
_ON_TIME = timedelta(seconds=30)
"""An instant younger than this is on time, whatever the misfire policy says: ticks and restarts take a moment."""


class FiringService:
    """Fires what is due."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fire_due(self) -> datetime | None:
        """Fire every job that is due now, in batches; give the next instant at which one will be."""
        while True:
            with self._database.transaction() as session:
                jobs = JobRepository(session)
                due = jobs.due(utc_now(), _BATCH)
                for job in due:
                    _fire_or_pause(session, job)
                if len(due) < _BATCH:
                    return jobs.next_due_at()


def _fire_or_pause(session: Session, job: Job) -> None:
    """Fire one job; one that cannot be fired is paused with the reason, because it must not hold up all others."""
    try:
        with session.begin_nested():
            _fire(session, job, utc_now())
    except Exception as error:
        log.exception("Job %s cannot be fired and is paused.", job.id)
        session.refresh(job)
        job.paused_at, job.pause_reason = utc_now(), f"its schedule cannot be used: {type(error).__name__}"
        job.next_run_at = None


def _fire(session: Session, job: Job, now: datetime) -> None:
    instants = _instants(job, now)
    chosen, left_out = _choose(job, instants, now)
    jobs = JobRepository(session)
    for instant, reason in left_out:
        jobs.record(job.id, instant, FiringOutcome.MISSED, reason)
    for instant in chosen:
        _fire_one(session, job, instant)
    job.next_run_at = None if job.is_once else next_after(schedule_of(job), now)


def _instants(job: Job, now: datetime) -> list[datetime]:
    assert job.next_run_at is not None
    if job.is_once:
        return [job.next_run_at]
    return due_between(schedule_of(job), job.next_run_at, now, _MOST_RECORDED)


def _choose(job: Job, instants: list[datetime], now: datetime) -> tuple[list[datetime], list[tuple[datetime, str]]]:
    """Split due instants into those that fire and those that are missed, each with its reason."""
    oldest = now - timedelta(seconds=job.max_age_seconds)
    fresh = [at for at in instants if at >= oldest]
    missed = [
        (at, f"older than {job.max_age_seconds} seconds when an agent was back") for at in instants if at < oldest
    ]
    if job.misfire == MisfirePolicy.ALL:
        return fresh, missed
    if job.misfire == MisfirePolicy.NONE:
        late = [at for at in fresh if at < now - _ON_TIME]
        missed += [(at, "no agent ran at that time, and the job's misfire policy is none") for at in late]
        return [at for at in fresh if at >= now - _ON_TIME], missed
    missed += [(at, f"made up for by the firing of {fresh[-1].isoformat()}") for at in fresh[:-1]]
    return fresh[-1:], missed


def _fire_one(session: Session, job: Job, instant: datetime) -> None:
    jobs, runs = JobRepository(session), RunRepository(session)
    if job.paused_at is not None:
        jobs.record(job.id, instant, FiringOutcome.PAUSED, f"paused: {job.pause_reason}")
        return
    if job.overlap == OverlapPolicy.SKIP and (live := runs.newest_live_of_job(job.id)):
        jobs.record(job.id, instant, FiringOutcome.SKIPPED, f"run {live} of this job was not over yet")
        return
    firing_id = jobs.record(job.id, instant, FiringOutcome.FIRED, "due")
    if firing_id is None:
        log.warning("Job %s has fired for %s already.", job.id, instant.isoformat())
        return
    if job.overlap == OverlapPolicy.REPLACE:
        _stop_all(runs, job)
    run = new_run(
        job.tool,
        job.parameters,
        submitter=job.submitter,
        owner=job.owner,
        description=job.description,
        backend=UNPLANNED,
        job_id=job.id,
        due_at=instant,
    )
    runs.add(run, actor=f"job {job.id}")
    firing = session.get(Firing, firing_id)
    assert firing is not None
    firing.run_id = run.id


def _stop_all(runs: RunRepository, job: Job) -> None:
    for run in runs.live_of_job(job.id):
        try:
            request_stop(runs, run, f"job {job.id}")
        except WrongState:
            log.info("Run %s is being stopped already.", run.id)
