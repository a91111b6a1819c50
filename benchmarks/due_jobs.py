"""How long the clock's question takes, what is due and what comes next, when there are very many jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from app.clock import utc_now
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from benchmarks.engine import Engine
from benchmarks.figures import heading, spread, spread_heading
from benchmarks.product import Product

JOBS = 100_000
_QUESTIONS = 30
_SECONDS_APART = 10

_FILL = text("""
    insert into jobs (id, tool, trigger, max_age_seconds, owner, submitter, created_at, updated_at, next_run_at)
    select 'job-' || n, 'noop', '0 0 * * *', 86400, 'bench', 'bench', now(), now(), now() + n * :apart
      from generate_series(1, :count) n
""")


def measure(product: Product, _: Engine) -> None:
    """Fill the table of jobs, and ask; no agent runs, so nothing fires."""
    database = Database(product.settings.database_url)
    with database.transaction() as session:
        session.execute(_FILL, {"count": JOBS, "apart": timedelta(seconds=_SECONDS_APART)})
        session.execute(text("analyze jobs"))
    now = utc_now()
    hundredth = now + timedelta(seconds=100 * _SECONDS_APART)
    heading(f"the clock's questions to PostgreSQL with {JOBS} jobs: {_QUESTIONS} times each")
    spread_heading()
    spread("what is due, nothing is", _times(database, lambda jobs: jobs.due(now)))
    spread("what is due, 100 jobs are", _times(database, lambda jobs: jobs.due(hundredth)))
    spread("when the next one is due", _times(database, JobRepository.next_due_at))
    with database.transaction() as session:
        session.execute(text("truncate jobs"))
    database.close()


def _times(database: Database, ask: Callable[[JobRepository], object]) -> list[float]:
    times = []
    for _ in range(_QUESTIONS):
        began = time.perf_counter()
        with database.transaction() as session:
            ask(JobRepository(session))
        times.append(time.perf_counter() - began)
    return times
