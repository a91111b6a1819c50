"""Thousands of hostile calls to every route, over a real PostgreSQL and a real etcd: refused by name, never a 5xx."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.api.context import EXTENSION
from app.factory import create_app
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from app.settings import Settings
from app.wiring import Services
from tests.api_calls import TOOL, Operation, operations
from tests.integration.whole import hostile_corpus
from tests.integration.whole.hostile_corpus import Call

pytestmark = pytest.mark.long

LEAST_CALLS = 5000
KINDS: list[Callable[[Sequence[Operation]], Iterator[Call]]] = [
    hostile_corpus.bodies,
    hostile_corpus.fields,
    hostile_corpus.texts,
    hostile_corpus.queries,
    hostile_corpus.places,
    hostile_corpus.methods,
    hostile_corpus.headers,
]
CHECKOUT = str(Path(__file__).parents[3])
TELLTALE = re.compile(
    rf'Traceback|File "|site-packages|{re.escape(CHECKOUT)}|/usr/lib|psycopg2|sqlalchemy|marshmallow|SELECT |INSERT '
)
NOTES = ("audit_log", "refusals", "alembic_version")
"""Tables in which refused calls leave their traces on purpose."""


class House:
    """The API in this process, and what it stores."""

    def __init__(self, settings: Settings, kv: EtcdKv) -> None:
        self.app = create_app(settings)
        self._kv = kv
        self._database = Database(settings.database_url)
        self._services: Services = self.app.extensions[EXTENSION]
        self.token = self._services.tokens.create_root("tester")
        self.client = self._client()
        self.operations = operations(self.client.get("/api/openapi.json").get_json())

    def furnish(self) -> None:
        for path, body in [
            ("/api/tools", TOOL),
            ("/api/datasets", {"name": "series", "url": "https://git.example.org/data/series.git"}),
            ("/api/jobs", {"tool": "spike", "schedule": "daily"}),
            ("/api/security/tokens/laptop", {"permissions": ["job_submit"]}),
            ("/api/tools/spike/runs", {}),
        ]:
            assert self.client.post(path, json=body).status_code in (200, 201, 202, 409)
        # Nobody waits for a run that is over.
        assert self.client.delete("/api/runs/1").status_code in (202, 409)

    def call(self, call: Call) -> tuple[int, str]:
        answer = self.client.open(call.address, method=call.method, data=call.body, headers=dict(call.headers))
        return answer.status_code, answer.get_data(as_text=True)

    def state(self) -> str:
        """Give what tells one state of all tables and of the registry from another."""
        with self._database.transaction() as session:
            tables = session.scalars(text("select tablename from pg_tables where schemaname = 'public'")).all()
            # Even a call that is refused says that its token was used.
            rows = [
                session.scalars(text(f"select (to_jsonb(t) - 'last_used_at')::text from {table} t order by 1")).all()
                for table in sorted(set(tables) - set(NOTES))
            ]
        entries = [(entry.key, entry.value) for entry in self._kv.list("/mao")]
        return hashlib.sha256(json.dumps([*map(list, rows), entries]).encode()).hexdigest()

    def close(self) -> None:
        self._services.close()
        self._database.close()

    def _client(self) -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["HTTP_X_API_TOKEN"] = self.token
        return client


@pytest.fixture
def house(settings: Settings, kv: EtcdKv) -> Iterator[House]:
    # Whoever sends hundreds of wrong tokens is told to wait, which is another test's matter.
    unlimited = replace(settings, limits=replace(settings.limits, refusals_per_minute=100_000))
    made = House(unlimited, kv)
    made.furnish()
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_hostile_calls_are_answered_in_words_and_refused_ones_change_nothing(
    house: House, kind: Callable[[Sequence[Operation]], Iterator[Call]]
) -> None:
    sins: list[str] = []
    statuses: Counter[int] = Counter()
    in_turn = sorted(kind(house.operations), key=lambda call: not call.is_refused)
    for is_refused, calls in groupby(in_turn, key=lambda call: call.is_refused):
        before = house.state() if is_refused else ""
        for call in calls:
            status, answer = house.call(call)
            statuses[status] += 1
            sins += sins_of(call, status, answer)
        if is_refused and house.state() != before:
            sins.append(f"something was changed by refused calls, of which the last was {call}")
    print(f"{kind.__name__}: {statuses.total()} calls, {dict(sorted(statuses.items()))}")
    assert not sins, f"{len(sins)} sins:\n" + "\n".join(sins[:40])


def test_the_corpus_is_large_and_reaches_every_operation(house: House) -> None:
    calls = [call for kind in KINDS for call in kind(house.operations)]
    print(f"{len(calls)} hostile calls")
    assert len(calls) >= LEAST_CALLS
    assert {operation.path() for operation in house.operations} <= {call.address for call in calls}


def sins_of(call: Call, status: int, answer: str) -> Iterable[str]:
    """Give what is wrong with the answer to a hostile call."""
    # Without an agent the product is not ready, and says so by this status.
    if status >= 500 and (call.address, status) != ("/readyz", 503):
        yield f"{status} for {call}: {answer[:300]}"
    if call.is_refused and status < 400:
        yield f"{status}, though it should be refused: {call}"
    if call.names and 400 <= status < 500 and call.names not in answer:
        yield f"{status} without a word of '{call.names}': {call}: {answer[:300]}"
    if "openapi.json" not in call.address and (found := TELLTALE.search(answer)):
        yield f"internals are told ({found[0]}) for {call}: {answer[:300]}"
