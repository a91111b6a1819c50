"""Output that is followed through the real API: nobody else waits for it, and who has gone is noticed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import text

from app.models.run import RunStatus
from app.repositories.database import Database
from app.repositories.outputs import OutputRepository
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.runs import RunRepository
from tests.integration.core.conftest import add_run
from tests.integration.whole.product import Product

PLACES = 2


@pytest.fixture
def product() -> Iterator[Product]:
    """An API of one process with as few threads as leave two places; there is no agent."""
    with tempfile.TemporaryDirectory(prefix="mao-following-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        made = Product(Path(folder), "following", "unix:///nowhere/docker.sock")
        made.settings = replace(made.settings, api=replace(made.settings.api, workers=1, threads=PLACES + 4))
        made.start_api()
        yield made
        made.stop()


@pytest.fixture
def database(product: Product) -> Iterator[Database]:
    made = Database(product.settings.database_url)
    yield made
    made.close()


@pytest.fixture
def run_id(database: Database) -> int:
    run = add_run(database)
    with database.transaction() as session:
        RunQueue(session).claim(node="n", epoch=7, capacity=Capacity(1))
    return run.id


def _print(database: Database, run_id: int, start: int, data: bytes) -> None:
    with database.transaction() as session:
        OutputRepository(session).append(run_id, start, data, epoch=7)


def _follow(product: Product, run_id: int, **headers: str) -> requests.Response:
    url = f"{product.url}/api/runs/{run_id}/output.txt?follow=true"
    return requests.get(url, headers={**product.headers, **headers}, stream=True, timeout=30)


def _events(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield fields.get("event", "message"), {**json.loads(fields["data"]), "id": int(fields["id"])}
            fields = {}
        else:
            fields = {}


def test_output_arrives_while_the_run_goes_on_and_is_resumed_after_a_cut_connection(
    product: Product, database: Database, run_id: int
) -> None:
    _print(database, run_id, 0, b"first\n")
    with _follow(product, run_id) as answer:
        events = _events(answer)
        assert next(events) == ("message", {"offset": 0, "text": "first\n", "id": 6})
        _print(database, run_id, 6, b"second\n")
        assert next(events) == ("message", {"offset": 6, "text": "second\n", "id": 13})
    _print(database, run_id, 13, b"third\n")
    with database.transaction() as session:
        RunRepository(session).change(run_id, RunStatus.PENDING_SUBMIT, RunStatus.FAILED, actor="a", cause="lost")
    with _follow(product, run_id, **{"Last-Event-ID": "13"}) as answer:
        assert list(_events(answer)) == [
            ("message", {"offset": 13, "text": "third\n", "id": 19}),
            ("end", {"status": "FAILED", "cause": "lost", "offset": 19, "id": 19}),
        ]


@pytest.mark.long
def test_streams_leave_threads_to_all_others_and_who_has_gone_is_noticed(product: Product, run_id: int) -> None:
    streams = [_follow(product, run_id) for _ in range(PLACES)]
    assert [stream.status_code for stream in streams] == [200] * PLACES
    refused = _follow(product, run_id)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert product.call("GET", f"/api/runs/{run_id}").status_code == 200
    waited = product.call("GET", f"/api/runs/{run_id}/wait?timeout=30")
    assert waited.json()["status"] == "PENDING_SUBMIT"
    streams[0].close()

    def has_place() -> bool:
        with _follow(product, run_id) as answer:
            return answer.status_code == 200

    product.until(has_place, "the place of the client that has gone is free", seconds=40)
    streams[1].close()


def test_output_whose_time_was_over_is_gone(product: Product, database: Database, run_id: int) -> None:
    with database.transaction() as session:
        session.execute(text("update runs set output_removed_at = now()"))
    for question in ("", "?tail=3", "?follow=true"):
        assert product.call("GET", f"/api/runs/{run_id}/output.txt{question}").status_code == 410
