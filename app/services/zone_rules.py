"""The rules of a time zone may change after a job's next turn was computed: a country drops its daylight saving."""

from __future__ import annotations

import logging

from app.clock import utc_now
from app.models.job import Job
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.services.turns import renewed_turn

log = logging.getLogger(__name__)
_PAGE = 500


def apply_zone_rules(database: Database) -> None:
    """Compute anew when each job in a zone fires next, page by page; a turn that has come already is left alone."""
    after = ""
    while True:
        with database.transaction() as session:
            jobs = JobRepository(session)
            page = jobs.in_zones(utc_now(), after, _PAGE)
            for job in page:
                _apply(job)
            if len(page) < _PAGE:
                jobs.announce()
                return
            after = page[-1].id


def _apply(job: Job) -> None:
    try:
        turn = renewed_turn(job, utc_now())
    except Exception:
        log.exception("The schedule of job %s cannot be used; it is paused when its turn comes.", job.id)
        return
    if turn != job.next_run_at:
        log.warning("Job %s: the rules of %s have changed; its next turn is %s now.", job.id, job.zone, turn)
        job.next_run_at = turn
