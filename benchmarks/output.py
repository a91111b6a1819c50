"""How long it takes to read a large output: its end, a part of it, all of it, and the first event of a stream."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

from sqlalchemy import text

from app.repositories.database import Database
from benchmarks.engine import Engine
from benchmarks.figures import heading, spread, spread_heading
from benchmarks.product import Product

MEGABYTES = 200
_READINGS = 20
_GOAL_MS = 300
_PER_STATEMENT = 10
_PIECE_BYTES = 2**20

_RUN = text("""
    insert into runs (tool, status, cause, submitter, owner, backend, defined_at, ended_at, attempt)
    values ('chatty', 'SUCCEEDED', 'ok', 'bench', 'bench', 'docker', now(), now(), 1) returning id
""")
# Lines of 64 bytes that do not compress well.
_FILL = text("""
    insert into run_output
    select :run, piece * 1048576, convert_to(string_agg(md5(random()::text) || md5(random()::text), chr(10)), 'UTF8')
      from generate_series(cast(:first as int), :last) piece, generate_series(1, 16131) line group by piece
""")
_TRIM = text("update run_output set data = substring(data || repeat('.', 1048576)::bytea from 1 for 1048576)")


def measure(product: Product, _: Engine) -> None:
    """Store an output, and read it through the API; no run is going on."""
    run_id = _stored(product)
    end = MEGABYTES * _PIECE_BYTES
    path = f"/api/runs/{run_id}/output.txt"
    heading(f"an output of {MEGABYTES} MB: {_READINGS} times each; goal {_GOAL_MS} ms for its end")
    spread_heading()
    with product.running():
        spread("its last 20 lines", _times(product, lambda: _read(product, f"{path}?tail=20")))
        middle = f"{path}?offset={end // 2 - 1000}&limit=65536"
        spread("64 KiB of its middle", _times(product, lambda: _read(product, middle)))
        spread("its last MB by a range", _times(product, lambda: _read(product, path, Range="bytes=-1000000")))
        spread("the first event of a stream", _times(product, lambda: _first_event(product, f"{path}?follow=true")))
        last = f"{path}?follow=true&tail=20"
        spread("the first event of its last lines", _times(product, lambda: _first_event(product, last)))
        spread("all of it", _times(product, lambda: _read(product, path), count=3))


def _stored(product: Product) -> int:
    database = Database(product.settings.database_url, statement_timeout_seconds=60)
    with database.transaction() as session:
        run_id = int(session.scalar(_RUN) or 0)
    for first in range(0, MEGABYTES, _PER_STATEMENT):
        with database.transaction() as session:
            session.execute(_FILL, {"run": run_id, "first": first, "last": first + _PER_STATEMENT - 1})
    with database.transaction() as session:
        session.execute(_TRIM)
    database.close()
    return run_id


def _times(product: Product, read: Callable[[], int], count: int = _READINGS) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        if not read():
            raise RuntimeError("Nothing was read, so the time says nothing.")
        times.append(time.perf_counter() - began)
    return times


def _read(product: Product, path: str, **headers: str) -> int:
    """Read an answer to its end, and give how many bytes it had."""
    answer = _asked(product, path, headers)
    size = 0
    while piece := answer.read(_PIECE_BYTES):
        size += len(piece)
    answer.close()
    return size


def _first_event(product: Product, path: str) -> int:
    """Read until the first line of data has come, and give its length."""
    answer = _asked(product, path, {})
    try:
        while not (line := answer.readline()).startswith(b"data:"):
            pass
        return len(line)
    finally:
        answer.close()


def _asked(product: Product, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    wire = http.client.HTTPConnection("127.0.0.1", product.settings.api.port, timeout=60)
    wire.request("GET", path, headers={"X-Api-Token": product.client.token, **headers})
    answer = wire.getresponse()
    if answer.status not in (200, 206):
        raise RuntimeError(f"GET {path} was answered with {answer.status}: {answer.read()!r}")
    return answer
