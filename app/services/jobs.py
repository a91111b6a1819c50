"""Jobs, as a user sees them: schedule, change, show, pause, remove, and what became of each due instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.clock import utc_now
from app.errors import Forbidden, Invalid
from app.models.job import Firing, Job
from app.models.names import checked_name
from app.models.token import Identity, Permission
from app.repositories.agents import AgentRepository
from app.repositories.database import Database, Session
from app.repositories.jobs import JobRepository, NewFiring
from app.repositories.runs import RunRepository
from app.services import job_edits
from app.services.definitions_commands import chosen
from app.services.plans import Planner
from app.services.policies import Fate
from app.services.previews import Preview, preview_of
from app.services.why import Answer, explain, known_of

INTERNAL_PREFIX = "mao."


class JobService:
    """One public method a use case. Without ``job_schedule_any`` an identity changes its owner's jobs only."""

    def __init__(self, database: Database, planner: Planner) -> None:
        self._database = database
        self._planner = planner

    def schedule(self, identity: Identity, values: dict[str, Any]) -> tuple[Job, bool]:
        """Add a job, or change the one with that id; give it, and whether it is new. An edit never fires in the past.

        ``values``: ``tool``; ``id`` (the tool's name unless given); ``schedule`` or ``at`` (an aware instant);
        optionally ``time_of_day``, ``zone``, ``misfire``, ``max_age_seconds``, ``catch_up_limit``, ``overlap``,
        ``jitter_seconds``, ``parameters``, ``description``.

        Raises:
            NotFound: no such tool.
            Invalid: the schedule, the zone or a policy breaks a rule, or the command is none of the tool's.
            Forbidden: the job is out of reach, or was one whose runs are.
        """
        job_id, now = _checked_id(values.get("id") or values["tool"]), utc_now()
        columns = job_edits.new_columns(values, now)
        entry = self._planner.plan(values["tool"])["tool_entry"]
        with self._database.transaction() as session:
            job = JobRepository(session).find(job_id, is_locked=True)
            _check_free(session, identity, job_id, job)
            chosen(session, entry, columns["parameters"])
            if job is not None:
                _change(session, identity, job, columns, now)
                return job, False
            job = Job(id=job_id, owner=identity.owner, submitter=identity.identifier, **columns)
            job.created_at = job.updated_at = now
            job_edits.begin(job, now)
            JobRepository(session).add(job)
            JobRepository(session).announce()
            return job, True

    def change(self, identity: Identity, job_id: str, values: dict[str, Any]) -> Job:
        """Change what ``values`` name, the same keys as in ``schedule`` except ``id``; the rest stays as it is.

        ``parameters`` are replaced as a whole. Where the schedule stays, so does the next instant.

        Raises:
            NotFound: no such job in reach, or no such tool.
            Invalid: the schedule, the zone or a policy breaks a rule.
        """
        entry = None
        if values.keys() & {"tool", "parameters"}:
            entry = self._planner.plan(values.get("tool") or self.get(identity, job_id)[0].tool)["tool_entry"]
        with self._database.transaction() as session:
            job, now = _in_reach(session, identity, job_id), utc_now()
            if entry is not None:
                chosen(session, entry, values.get("parameters", job.parameters))
            _change(session, identity, job, job_edits.changed_columns(job, values, now), now)
            return job

    def get(self, identity: Identity, job_id: str) -> tuple[Job, int | None]:
        """Give a job and the number of its last run.

        Raises:
            NotFound: there is none in reach; the nearest known one is named.
        """
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            return jobs.get(job_id, owner=reach_of(identity)), jobs.last_run(job_id)

    def list(self, identity: Identity, *, after: str = "", limit: int = 100) -> Sequence[tuple[Job, int | None]]:
        """Give the jobs in reach in the order of their ids, each with the number of its last run."""
        with self._database.transaction() as session:
            return JobRepository(session).list(owner=reach_of(identity), after=after, limit=limit)

    def internal(self) -> dict[str, Any]:
        """Give the agent's own jobs: name -> ``everySeconds`` and ``lastTime``."""
        with self._database.transaction() as session:
            agent = AgentRepository(session).find_latest()
        return {} if agent is None else dict(agent.ticks)

    def remove(self, identity: Identity, job_id: str) -> None:
        """Delete a job; its runs and firings stay.

        Raises:
            NotFound: there is none in reach.
        """
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            _in_reach(session, identity, job_id)
            jobs.remove(job_id)
            jobs.announce()

    def pause(self, identity: Identity, job_id: str, reason: str, until: datetime | None = None) -> Job:
        """Let a job fire no more until it is resumed, or until the aware instant ``until``.

        Each instant whose turn comes meanwhile is recorded with ``reason``.

        Raises:
            NotFound: there is no such job in reach.
            Invalid: ``until`` is over.
        """
        now = utc_now()
        if until is not None and until <= now:
            raise Invalid("That instant is over.", fields={"until": ["Must be in the future."]})
        with self._database.transaction() as session:
            job = _in_reach(session, identity, job_id)
            job.paused_at, job.paused_until, job.pause_reason, job.updated_at = now, until, reason, now
            return job

    def resume(self, identity: Identity, job_id: str) -> Job:
        """Let a paused job fire again, from its next instant on.

        Raises:
            NotFound: there is no such job in reach.
            Invalid: its schedule cannot be used.
        """
        with self._database.transaction() as session:
            jobs, now = JobRepository(session), utc_now()
            job = _in_reach(session, identity, job_id)
            _record(session, job, job_edits.resume(job, now), now)
            job.updated_at = now
            jobs.announce()
            return job

    def preview(self, identity: Identity, job_id: str, count: int) -> Preview:
        """Give the next instants of a job, at most ``count``.

        Raises:
            NotFound: there is no such job in reach.
            Invalid: its schedule cannot be used.
        """
        return preview_of(self.get(identity, job_id)[0], utc_now(), count)

    def preview_unstored(self, values: dict[str, Any], count: int) -> Preview:
        """Give the next instants, at most ``count``, that a job would have if it were scheduled with ``values``.

        Raises:
            Invalid: the schedule, the instant or the zone breaks a rule.
        """
        now = utc_now()
        return preview_of(job_edits.unstored_job(values, now), now, count)

    def why(self, identity: Identity, job_id: str, at: datetime) -> Answer:
        """Tell what a job did at an instant, and why. A naive ``at`` is read off the clock of the job's zone.

        Raises:
            NotFound: there is no such job in reach.
            Invalid: its schedule cannot be used.
        """
        with self._database.transaction() as session:
            job = JobRepository(session).get(job_id, owner=reach_of(identity))
            return explain(known_of(session, job, at), utc_now())

    def firings(
        self, identity: Identity, job_id: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[Firing]:
        """Give what became of a job's due instants, newest first.

        A job that was removed still has its firings, for those who reach the jobs of every owner.

        Raises:
            NotFound: there is no such job in reach.
        """
        reach = reach_of(identity)
        with self._database.transaction() as session:
            jobs = JobRepository(session)
            firings = jobs.firings(job_id, owner=reach, after=after, limit=limit)
            if not firings or reach is not None:
                jobs.get(job_id, owner=reach)
            return firings


def reach_of(identity: Identity) -> str | None:
    """Give the only owner whose jobs are in reach, or None where those of everybody are."""
    return identity.reach(Permission.JOB_SCHEDULE_ANY)


def _checked_id(job_id: str) -> str:
    if job_id.startswith(INTERNAL_PREFIX):
        raise Invalid(f"'{job_id}' is no name for a job.", fields={"id": ["Must not begin with 'mao.'."]})
    return checked_name(job_id, "id")


def _change(session: Session, identity: Identity, job: Job, columns: dict[str, Any], now: datetime) -> None:
    _record(session, job, job_edits.edit(job, columns, now), now)
    job.submitter, job.updated_at = identity.identifier, now
    JobRepository(session).announce()


def _record(session: Session, job: Job, fates: list[Fate], now: datetime) -> None:
    firings = [NewFiring(job.id, job.owner, fate.due_at, fate.outcome, fate.reason) for fate in fates]
    JobRepository(session).record(firings, now)


def _in_reach(session: Session, identity: Identity, job_id: str) -> Job:
    """Give a job that the identity may change, locked until the transaction ends."""
    return JobRepository(session).get(job_id, owner=reach_of(identity), is_locked=True)


def _check_free(session: Session, identity: Identity, job_id: str, job: Job | None) -> None:
    """Let only those use an id to whom it belongs, or belonged: runs stay when their job is removed."""
    owner = job.owner if job else RunRepository(session).owner_of_job(job_id)
    if owner is not None and reach_of(identity) not in (None, owner):
        raise Forbidden(f"The id '{job_id}' is taken.", hint="Choose another one with: --id")
