"""Jobs, as a user sees them: schedule, show, pause, remove, and what became of each due instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.clock import utc_now
from app.errors import Forbidden, Invalid
from app.models.job import Firing, Job, MisfirePolicy, OverlapPolicy
from app.models.names import checked_name
from app.models.token import Identity, Permission
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.services.occurrences import Schedule, next_after, parse_schedule
from app.services.plans import Planner

INTERNAL_PREFIX = "mao."
DEFAULT_MAX_AGE_SECONDS = 86_400


class JobService:
    """One public method a use case. Without ``job_schedule_any`` an identity changes its owner's jobs only."""

    def __init__(self, database: Database, planner: Planner) -> None:
        self._database = database
        self._planner = planner

    def schedule(self, identity: Identity, values: dict[str, Any]) -> tuple[Job, bool]:
        """Add a job, or change the one with that id; give it, and whether it is new. An edit never fires in the past.

        ``values``: ``tool``; ``id`` (the tool's name unless given); ``schedule`` or ``at`` (an aware instant);
        optionally ``time_of_day``, ``zone``, ``misfire``, ``max_age_seconds``, ``overlap``, ``parameters``,
        ``description``.

        Raises:
            NotFound: no such tool.
            Invalid: the schedule, the zone or a policy breaks a rule.
            Forbidden: the job is somebody else's.
        """
        job_id = checked_name(values.get("id") or values["tool"], "id")
        if job_id.startswith(INTERNAL_PREFIX):
            raise Invalid(f"'{job_id}' is no name for a job.", fields={"id": ["Must not begin with 'mao.'."]})
        columns = _columns(values, utc_now())
        self._planner.plan(values["tool"])
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            job = jobs.find(job_id, is_locked=True)
            is_new = job is None
            if job is None:
                now = utc_now()
                job = Job(id=job_id, owner=identity.owner, created_at=now, **columns)
                job.submitter, job.updated_at = identity.identifier, now
                jobs.add(job)
            else:
                _check_owner(identity, job)
                _edit(job, columns, identity.identifier)
            jobs.announce()
        return job, is_new

    def get(self, identity: Identity, job_id: str) -> tuple[Job, int | None]:
        """Give a job and the number of its last run.

        Raises:
            NotFound: there is none in reach; the nearest known one is named.
        """
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            return jobs.get(job_id, owner=_reach(identity)), jobs.last_run(job_id)

    def list(self, identity: Identity, *, after: str = "", limit: int = 100) -> Sequence[tuple[Job, int | None]]:
        """Give the jobs in reach in the order of their ids, each with the number of its last run."""
        with self._database.transaction() as session:
            return JobRepository(session).list(owner=_reach(identity), after=after, limit=limit)

    def internal(self) -> dict[str, Any]:
        """Give the agent's own jobs: name -> ``everySeconds`` and ``lastTime``."""
        with self._database.transaction() as session:
            agent = AgentRepository(session).find_latest()
        return {} if agent is None else dict(agent.ticks)

    def remove(self, identity: Identity, job_id: str) -> None:
        """Delete a job; its runs and firings stay.

        Raises:
            NotFound: there is none.
            Forbidden: it is somebody else's.
        """
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            _check_owner(identity, jobs.get(job_id, is_locked=True))
            jobs.remove(job_id)
            jobs.announce()

    def pause(self, identity: Identity, job_id: str, reason: str) -> Job:
        """Let a job fire no more until it is resumed; each instant that passes is recorded with ``reason``."""
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            job = jobs.get(job_id, is_locked=True)
            _check_owner(identity, job)
            job.paused_at, job.pause_reason, job.updated_at = utc_now(), reason, utc_now()
        return job

    def resume(self, identity: Identity, job_id: str) -> Job:
        """Let a paused job fire again, from its next instant on."""
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            job = jobs.get(job_id, is_locked=True)
            _check_owner(identity, job)
            job.paused_at, job.pause_reason, job.updated_at = None, None, utc_now()
            if not job.is_once:
                job.next_run_at = next_after(parse_schedule(job.trigger, None, job.zone), utc_now())
            jobs.announce()
        return job

    def firings(
        self, identity: Identity, job_id: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[Firing]:
        """Give what became of a job's due instants, newest first.

        A job that was removed still has its firings, for those who reach the jobs of every owner.

        Raises:
            NotFound: there is no such job in reach.
        """
        reach = _reach(identity)
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            firings = jobs.firings(job_id, after=after, limit=limit)
            if not firings or reach is not None:
                jobs.get(job_id, owner=reach)
            return firings


def schedule_of(job: Job) -> Schedule:
    """Give the recurring schedule of a job that is not ``is_once``."""
    return Schedule(job.trigger, job.zone)


def _columns(values: dict[str, Any], now: datetime) -> dict[str, Any]:
    at: datetime | None = values.get("at")
    text: str | None = values.get("schedule")
    zone = values.get("zone") or "UTC"
    if (at is None) == (text is None):
        raise Invalid("A job has either a schedule or one instant.", fields={"schedule": ["Give 'schedule' or 'at'."]})
    if at is not None:
        if at <= now:
            raise Invalid("That instant is over.", fields={"at": ["Must be in the future."]})
        trigger, next_run_at = at.astimezone(UTC).isoformat(), at
    else:
        schedule = parse_schedule(text or "", values.get("time_of_day"), zone)
        trigger, zone = schedule.crontab, schedule.zone
        first = next_after(schedule, now)
        if first is None:
            raise Invalid("That schedule is never due.", fields={"schedule": ["Must be due some day."]})
        next_run_at = first
    return {
        "tool": values["tool"],
        "parameters": values.get("parameters") or {},
        "trigger": trigger,
        "is_once": at is not None,
        "zone": zone,
        "misfire": MisfirePolicy(values.get("misfire") or MisfirePolicy.LAST),
        "max_age_seconds": values.get("max_age_seconds") or DEFAULT_MAX_AGE_SECONDS,
        "overlap": OverlapPolicy(values.get("overlap") or OverlapPolicy.SKIP),
        "description": values.get("description") or "",
        "next_run_at": next_run_at,
    }


def _edit(job: Job, columns: dict[str, Any], submitter: str) -> None:
    for name, value in columns.items():
        setattr(job, name, value)
    job.submitter, job.updated_at = submitter, utc_now()


def _reach(identity: Identity) -> str | None:
    return identity.reach(Permission.JOB_SCHEDULE_ANY)


def _check_owner(identity: Identity, job: Job) -> None:
    if job.owner != identity.owner and not identity.may(Permission.JOB_SCHEDULE_ANY):
        raise Forbidden(
            f"The job '{job.id}' belongs to '{job.owner}'.", hint="Ask its owner, or choose another id with: --id"
        )
