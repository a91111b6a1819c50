"""The clock's work when there are very many jobs: what is due, what comes next, and firing what is due at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from app.clock import utc_now
from app.repositories.database import Database
from app.repositories.jobs import JobRepository
from app.services.firing import FiringService
from benchmarks.engine import Engine
from benchmarks.figures import heading, spread, spread_heading
from benchmarks.product import Product

JOBS = 100_000
_QUESTIONS = 30
_SECONDS_APART = 10
_FIRED_AT_ONCE = 1000
_FIRINGS = 10

_FILL = text("""
    insert into jobs (id, tool, trigger, max_age_seconds, owner, submitter, created_at, updated_at, next_run_at)
    select 'job-' || n, 'noop', '0 0 * * *', 86400, 'bench', 'bench', now(), now(), now() + n * :apart
      from generate_series(1, :count) n
""")

_MAKE_DUE = text("""
    update jobs set trigger = '* * * * *', next_run_at = date_trunc('minute', now())
     where id in (select id from jobs where next_run_at > now() + interval '1 hour' limit :count)
""")
_LET_REST = text("""
    update jobs set trigger = '0 0 * * *', next_run_at = now() + interval '1 day' where trigger = '* * * * *'
""")
_FORGET = text("truncate runs, firings cascade")


def measure(product: Product, _: Engine) -> None:
    """Fill the table of jobs, ask, and fire; no agent runs, so nothing else does."""
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
    heading(f"firing {_FIRED_AT_ONCE} of {JOBS} jobs that are due in one second: {_FIRINGS} times")
    spread_heading()
    spread("until the last of them has its run", [_fire(database) for _ in range(_FIRINGS)])
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


def _fire(database: Database) -> float:
    """Let jobs be due now, fire them, and give how long that took, in seconds."""
    with database.transaction() as session:
        session.execute(_MAKE_DUE, {"count": _FIRED_AT_ONCE})
    began = time.perf_counter()
    FiringService(database, catch_up_per_minute=0).fire_due()
    seconds = time.perf_counter() - began
    with database.transaction() as session:
        made = session.scalar(text("select count(*) from firings join runs on runs.id = firings.run_id"))
        if made is None or made < _FIRED_AT_ONCE:
            raise RuntimeError(f"Only {made} of {_FIRED_AT_ONCE} jobs have a run.")
        session.execute(_LET_REST)
        session.execute(_FORGET)
    return seconds
