"""Queries that tell which scheduled tools have not been heard of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from app.models.job import Job

_LAST_GOOD = text("""
    select wanted.tool, good.id, good.ended_at
      from unnest(cast(:tools as varchar[])) as wanted (tool)
      cross join lateral (
           select id, ended_at from runs
            where runs.tool = wanted.tool and status = 'SUCCEEDED' and replay_of is null
            order by ended_at desc limit 1) as good
""")
_LAST_PAUSED = text("""
    select job_id, max(due_at) as due_at from firings
     where job_id = any(cast(:jobs as varchar[])) and outcome = 'paused' and due_at >= :since group by job_id
""")
# A run that was removed was over.
_FATES = text("""
    select case when firings.outcome <> 'fired' then firings.outcome
                when runs.id is not null and runs.ended_at is null then 'unfinished'
                when runs.status = 'ABORTED' then 'stopped'
                else 'failed' end as fate, count(*) as instants
      from firings left join runs on runs.id = firings.run_id
     where firings.job_id = any(cast(:jobs as varchar[])) and firings.due_at >= :since
     group by 1 order by 1
""")


@dataclass(frozen=True)
class ActiveJob:
    """What of a job says when it is due. ``since`` is when it was made, changed or resumed last."""

    id: str
    tool: str
    trigger: str
    zone: str
    jitter_seconds: int
    since: datetime


@dataclass(frozen=True)
class GoodRun:
    """A run that succeeded."""

    id: int
    ended_at: datetime


class SilenceRepository:
    """Queries over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def active_jobs(self, now: datetime, tool: str | None = None) -> Sequence[ActiveJob]:
        """Give the jobs that will be due again and again, and are not paused; with ``tool`` only those of it."""
        columns = (Job.id, Job.tool, Job.trigger, Job.zone, Job.jitter_seconds, Job.updated_at, Job.paused_until)
        is_awake = or_(Job.paused_at.is_(None), Job.paused_until <= now)
        query = select(*columns).where(~Job.is_once, Job.next_run_at.is_not(None), is_awake)
        if tool is not None:
            query = query.where(Job.tool == tool)
        return [_active(*row) for row in self._session.execute(query.order_by(Job.id))]

    def last_good(self, tools: Collection[str]) -> Mapping[str, GoodRun]:
        """Give the newest run of each tool that succeeded; replays make nothing, and do not count."""
        rows = self._session.execute(_LAST_GOOD, {"tools": list(tools)})
        return {tool: GoodRun(run_id, ended_at) for tool, run_id, ended_at in rows}

    def last_paused(self, jobs: Collection[str], since: datetime) -> Mapping[str, datetime]:
        """Give the newest instant of each job that passed while it was paused, not before ``since``."""
        rows = self._session.execute(_LAST_PAUSED, {"jobs": list(jobs), "since": since})
        return {row.job_id: row.due_at for row in rows}

    def fates(self, jobs: Collection[str], since: datetime) -> Mapping[str, int]:
        """Count what became of the instants of jobs from ``since`` on.

        It is failed, stopped, unfinished, skipped, missed or paused.
        """
        rows = self._session.execute(_FATES, {"jobs": list(jobs), "since": since})
        return {row.fate: row.instants for row in rows}


def _active(
    job_id: str,
    tool: str,
    trigger: str,
    zone: str,
    jitter_seconds: int,
    updated_at: datetime,
    paused_until: datetime | None,
) -> ActiveJob:
    return ActiveJob(job_id, tool, trigger, zone, jitter_seconds, max(updated_at, paused_until or updated_at))
