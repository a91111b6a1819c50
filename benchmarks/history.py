"""How long lists, searches, deep pages and a submission take beside a long history of runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import text

from app.repositories.database import Database
from benchmarks.client import Client
from benchmarks.engine import Engine
from benchmarks.figures import heading, line, ms, percentile
from benchmarks.product import TOOL, Product

RUNS = 1_000_000
_QUESTIONS = 40
_PAGES = 100
_PER_STATEMENT = 50_000

# Twenty tools of unequal use, ten owners, three years, and the states as they are met; some values are rare on purpose.
_FILL = text("""
    insert into runs (tool, tool_entry, job_id, status, cause, message, description, submitter, owner, backend, labels,
                      defined_at, submitted_at, started_at, ended_at, attempt, node, exit_code, image_digest,
                      input_commit, output_commit, report, parameters)
    select 'tool-' || floor(20 * power(random(), 2)), '{"name": "x", "image": "example/collector:1"}',
           case when n % 3 > 0 then 'job-' || n % 200 end,
           case when n % 1000 = 0 then 'IN_DOUBT' when n % 20 = 0 then 'FAILED' else 'SUCCEEDED' end,
           case when n % 1000 = 0 then 'lost' when n % 20 = 0 then 'tool_error' else 'ok' end, 'The tool ended.',
           'collect the ' || (array['catalogue', 'charts', 'index', 'mirror'])[1 + n % 4] || ' of batch ' || n / 1000,
           'token-' || n % 50, 'owner-' || n % 10, 'docker',
           jsonb_build_object('site', 'site-' || n % 7, 'batch', (n / 1000)::text),
           at, at, at + interval '1 second', at + interval '20 seconds', 1, 'bench',
           case when n % 20 = 0 then 1 else 0 end, 'sha256:' || md5((n / 5000)::text), md5(n::text), md5((n + 1)::text),
           jsonb_build_object('runId', n, 'text', repeat('Report of a run. ', 40)), '{}'
      from (select n, timestamptz '2023-11-01' + n * interval '95 seconds' as at
              from generate_series(cast(:first as bigint), :last) n) numbers
""")

_INDEXES = text("select indexname, indexdef from pg_indexes where tablename = 'runs' and indexname <> 'pk_runs'")

LISTS = {
    "list: newest": "/api/runs",
    "list: of a tool": "/api/runs?tool=tool-0",
    "list: of a tool that is hardly used": "/api/runs?tool=tool-19",
    "list: in doubt": "/api/runs?status=IN_DOUBT",
    "list: of an owner, failed": "/api/runs?owner=owner-3&status=FAILED",
    "list: of a job": "/api/runs?job=job-17",
    "list: 500 at once": "/api/runs?limit=500",
}
SEARCHES: dict[str, dict[str, Any]] = {
    "search: submitter": {"submitter": "token-7"},
    "search: labels, common": {"labels": {"site": "site-3"}},
    "search: labels, rare": {"labels": {"batch": "512", "site": "site-3"}},
    "search: text, common": {"text": "catalogue"},
    "search: text, rare": {"text": "catalogue batch 512"},
    "search: a week": {"definedFrom": "2025-03-01T00:00:00Z", "definedTo": "2025-03-08T00:00:00Z"},
    "search: a year, failed": {
        "definedFrom": "2024-01-01T00:00:00Z",
        "definedTo": "2025-01-01T00:00:00Z",
        "states": ["FAILED"],
    },
    "search: owner, tool and states": {"owner": "owner-0", "tool": "tool-3", "states": ["FAILED", "IN_DOUBT"]},
    "search: digest": {"imageDigest": "sha256:c4ca4238a0b923820dcc509a6f75849b"},
    "search: output commit": {"outputCommit": "c4ca4238a0b923820dcc509a6f75849b"},
    "search: nothing is found": {"submitter": "nobody", "states": ["SUCCEEDED"]},
}


def measure(product: Product, _: Engine) -> None:
    """Fill the history, ask through the API, and submit beside it."""
    database = Database(product.settings.database_url, statement_timeout_seconds=600)
    _fill(database)
    with product.running() as client:
        heading(f"{RUNS:,} runs of history, through the API: {_QUESTIONS} times each")
        line("milliseconds", "median", "p95")
        for name, path in LISTS.items():
            _show(name, _times(lambda path=path: client.get(path)))
        for name, body in SEARCHES.items():
            _show(name, _times(lambda body=body: client.post("/api/search/runs", body, accepted=(200,))))
        pages = list(islice(_page_times(client), _PAGES))
        _show(f"pages 1 to {_PAGES // 10}, one after the other", pages[: _PAGES // 10])
        _show(f"pages {_PAGES - _PAGES // 10 + 1} to {_PAGES}", pages[-_PAGES // 10 :])
        middle = client.post("/api/search/runs", {"definedTo": "2025-05-01T00:00:00Z"}, accepted=(200,))["next"]
        _show("a page in the middle of the history", _times(lambda: client.get(f"/api/runs?cursor={middle}")))
        _show("submit", _times(lambda: client.submit(TOOL)))
    with database.transaction() as session:
        session.execute(text("truncate runs cascade"))
    database.close()


def _fill(database: Database) -> None:
    # Building an index over all rows at the end takes a tenth of the time that growing it with each row takes.
    with database.transaction() as session:
        indexes = session.execute(_INDEXES).all()
        for name, _ in indexes:
            session.execute(text(f"drop index {name}"))
    for first in range(1, RUNS + 1, _PER_STATEMENT):
        with database.transaction() as session:
            session.execute(_FILL, {"first": first, "last": first + _PER_STATEMENT - 1})
    for _, definition in indexes:
        with database.transaction() as session:
            session.execute(text(definition))
    with database.transaction() as session:
        session.execute(text("analyze runs"))


def _page_times(client: Client) -> Iterator[float]:
    cursor = ""
    while True:
        began = time.perf_counter()
        page = client.get("/api/runs" + (f"?cursor={cursor}" if cursor else ""))
        yield time.perf_counter() - began
        cursor = page["next"]


def _times(ask: Callable[[], object]) -> list[float]:
    ask()
    times = []
    for _ in range(_QUESTIONS):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return times


def _show(name: str, seconds: list[float]) -> None:
    line(name, ms(percentile(seconds, 50)), ms(percentile(seconds, 95)))
