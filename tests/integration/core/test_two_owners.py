"""Two owners, one installation: what belongs to one of them does not exist for the other.

Olga's tokens belong to one group, Sven's to another. Sven holds every permission but those that reach beyond
an owner. Every route with the number or the name of something of Olga's answers him as if it were not there, word by
word, and leaves every row as it was. A route that is added later is tried without a line here, or fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.api import context
from app.clock import utc_now
from app.factory import create_app
from app.models.attempt import RunAttempt
from app.models.job import Firing
from app.models.lock import Holder
from app.models.metric import Incident
from app.models.notification import Channel
from app.models.output import OutputChunk
from app.models.run import Run, RunStatus
from app.models.token import Permission
from app.repositories.deliveries import DeliveryRepository
from app.repositories.notifications import NotificationRepository
from app.repositories.runs import RunRepository
from app.services import questions
from app.settings import load
from tests.integration.core.callers import Callers

BEYOND = {permission for permission in Permission if permission.endswith("_any")} | {Permission.REGISTRY_ADMIN}
TOOL = {"name": "spike", "author": "a", "image": "i", "data_repo": "", "code_repo": "", "artefact": ""}
MARKS = ("olga",)
NOT_COMPARED = {"audit_log", "refusals", "alembic_version"}
ANSWERED = {200, 202}
"""Without an agent, a question about data is accepted and never answered."""
UNKNOWN = {"run_id": "999999", "job_id": "nosuch-jobs", "identifier": "nosuch"}

# What a route needs to get as far as looking for the thing. One that is not here gets an empty body.
BODIES: dict[str, Any] = {
    "PATCH /api/jobs/<job_id>": {"description": "mine now"},
    "POST /api/runs/<run_id>/resolve": {"status": "FAILED", "reason": "mine now"},
    "POST /api/security/tokens/<identifier>": {"permissions": ["job_submit"]},
}
QUERIES = {
    "GET /api/jobs/<job_id>/why": "?at=2026-11-22T00:00:00Z",
    "GET /api/runs/<run_id>/wait": "?timeout=0",
    "GET /api/definitions": "?url=https://git.example.org/tool",
}
BYTES = {"POST /api/runs/<run_id>/files/<file_id>"}
# A name that is taken cannot be hidden from who wants to take it; it has a test of its own.
NAMES_ARE_TAKEN = {"POST /api/security/tokens/<identifier>"}


def all_routes() -> list[str]:
    """Give each operation as ``GET /api/runs/<run_id>``."""
    app = create_app(load({}, Path("/nonexistent")))
    return sorted(
        f"{method} {re.sub(r'<[a-z]+:', '<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


# For each filter of the search something that runs of Olga have.
SEARCHES: dict[str, Any] = {
    "submitter": "olga",
    "owner": "olgas-group",
    "tool": "spike",
    "jobId": "olgas-daily",
    "parentId": 1,
    "states": ["FAILED", "DEFINED", "RUNNING"],
    "cause": "lost",
    "labels": {"of": "olga"},
    "text": "olga",
    "definedFrom": "2020-01-01T00:00:00Z",
    "definedTo": "2999-01-01T00:00:00Z",
    "imageDigest": "sha256:olga",
    "inputCommit": "1a",
    "outputCommit": "2b",
    "quarantineState": "held",
}

# What the nodes share, and so every token reads, about runs of every owner: with all that is told of them.
SHARED = {
    "GET /api/incidents": {
        "id",
        "tool",
        "kind",
        "status",
        "metrics",
        "summary",
        "runs",
        "openedAt",
        "firstRun",
        "openedByRun",
        "lastRun",
        "toldAt",
        "closedAt",
        "closedByRun",
        "closedBecause",
    },
    "GET /api/locks": {"key", "runId", "node", "since", "token"},
    "GET /api/notifications": {"id", "node", "kind", "tool", "runId", "incidentId", "summary", "values"},
}

ROUTES = all_routes()
OF_A_THING = [route for route in ROUTES if re.search("<(run_id|job_id|identifier)>", route)]
READINGS = [route for route in ROUTES if route.startswith("GET ") and "<" not in route]


@dataclass
class Pair:
    """The two of them, and what belongs to Olga: runs in each state that some route wants, a job, tokens."""

    callers: Callers
    olga: FlaskClient
    sven: FlaskClient
    runs: dict[RunStatus, int]
    own_run: int

    def rows(self) -> dict[str, list[str]]:
        """Give every row of every table, but for those that record the calls themselves, and all of etcd."""
        with self.callers.database.transaction() as session:
            tables = session.scalars(text("select tablename from pg_tables where schemaname = 'public'")).all()
            found = {
                table: sorted(session.scalars(text(f"select (to_jsonb(t) - 'last_used_at')::text from {table} t")))
                for table in set(tables) - NOT_COMPARED
            }
        found["etcd"] = [repr(entry) for entry in self.callers.services.tools.list(limit=100)]
        return found


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_PATIENCE_SECONDS", 0.0)


@pytest.fixture
def pair(callers: Callers) -> Iterator[Pair]:
    olga = callers.make("olga", list(Permission), "olgas-group")
    sven = callers.make("sven", set(Permission) - BEYOND, "other-group")
    assert olga.post("/api/tools", json=TOOL).status_code == 201
    job = {"tool": "spike", "schedule": "daily", "id": "olgas-daily", "description": "of olga"}
    assert olga.post("/api/jobs", json=job).status_code == 201
    runs = {status: _a_run(callers, status) for status in RunStatus}
    with callers.database.transaction() as session:
        fired = {"job_id": "olgas-daily", "recorded_at": utc_now(), "reason": "olga", "run_id": runs[RunStatus.RUNNING]}
        session.add(Firing(owner="olgas-group", due_at=utc_now() - timedelta(hours=1), outcome="fired", **fired))
    file = f"/api/runs/{runs[RunStatus.DEFINED]}/files/olgas.txt"
    assert olga.post(file, data=b"of olga", content_type="application/octet-stream").status_code == 201
    _share(callers, runs[RunStatus.RUNNING])
    own = sven.post("/api/runs", json={"jobSpec": {"tool": "spike", "description": "of sven"}}).get_json()["runId"]
    _a_run(callers, RunStatus.FAILED, parent_id=1)
    yield Pair(callers, olga, sven, runs, own)


def _share(callers: Callers, run_id: int) -> None:
    """Put down what a run of Olga leaves there for all to see: a lock, a notification and an incident."""
    holder = Holder(run_id=run_id, node="n", installation="i", epoch=1)
    callers.services.locks._locks.take(["olgas-lock"], holder, utc_now(), ttl_seconds=600)
    spike = {"kind": "spike", "tool": "spike", "run_id": run_id, "summary": "olga's is high", "values": {"mean": 1}}
    about = {"tool": "spike", "kind": "data", "status": "drop", "summary": "olga's is low", "opened_at": utc_now()}
    with callers.database.transaction() as session:
        session.add(Incident(**about, opened_by_run=run_id))
    callers.services.notifications._registry.put_notification("n", "01M80R56GMQRBYJ5EBVZVHYV8D", spike)
    with callers.database.transaction() as session:
        NotificationRepository(session).add(ulid="01M80R56GMQRBYJ5EBVZVHYV8D", **spike)
        DeliveryRepository(session).spread("01M80R56GMQRBYJ5EBVZVHYV8D", [(Channel.EMAIL, "all@example.org")])


def _a_run(callers: Callers, status: RunStatus, parent_id: int | None = None) -> int:
    now, is_over = utc_now(), status in ("SUCCEEDED", "FAILED", "ABORTED", "IN_DOUBT")
    known = {
        "tool": "spike",
        "parameters": {"env": {"OF": "olga"}},
        "labels": {"of": "olga"},
        "submitter": "olga",
        "owner": "olgas-group",
        "description": "of olga",
        "backend": "dummy",
        "tool_entry": TOOL,
        "job_id": "olgas-daily",
        "is_manual_start": status == RunStatus.DEFINED,
        "defined_at": now,
        "submitted_at": now,
        "started_at": now if is_over else None,
        "ended_at": now if is_over else None,
        "clone": "data" if is_over else None,
        "baseline_tree": "1a" if is_over else None,
        "output_tree": "2b" if is_over else None,
        "quarantine_state": "held" if is_over else None,
        "quarantine_commit": "3c" if is_over else None,
        "cause": "lost" if is_over else None,
        "parent_id": parent_id,
        "image_digest": "sha256:olga",
        "input_commit": "1a",
        "output_commit": "2b",
        "report": {"text": "of olga", "verdict": None, "spike": None} if is_over else None,
        "attempt": 2,
    }
    with callers.database.transaction() as session:
        run = RunRepository(session).add(Run(status=status, **known), actor="olga")
        session.flush()
        session.add(OutputChunk(run_id=run.id, start_byte=0, data=b"of olga\n"))
        attempt = {"run_id": run.id, "number": 1, "ended_at": now, "cause": "lost", "message": "of olga"}
        session.add(RunAttempt(first_byte=0, **attempt))
        return run.id


def call(client: FlaskClient, route: str, **names: str) -> TestResponse:
    method, rule = route.split()
    address = re.sub(
        r"<(\w+)>", lambda part: names.get(part[1], "1" if part[1] == "decision_id" else "olgas.txt"), rule
    ) + QUERIES.get(route, "")
    if route in BYTES:
        return client.open(address, method=method, data=b"mine", content_type="application/octet-stream")
    body = None if method in ("GET", "DELETE") else BODIES.get(route, {})
    return client.open(address, method=method, json=body)


def told(answer: TestResponse, **names: str) -> tuple[int, Any]:
    """Give status and body, with the name that was asked for taken out of it."""
    body = answer.get_data(as_text=True)
    for name in names.values():
        body = re.sub(rf"\b{re.escape(name)}\b", "NAME", body)
    return answer.status_code, json.loads(body or "null")


def test_what_is_olgas_is_for_sven_as_if_it_were_not_there(pair: Pair) -> None:
    before = pair.rows()
    for route in set(OF_A_THING) - NAMES_ARE_TAKEN:
        missing = told(call(pair.sven, route, **UNKNOWN), **UNKNOWN)
        assert missing[0] == 404, f"{missing}: what {route} needs belongs into BODIES"
        for run_id in pair.runs.values():
            names = {"run_id": str(run_id), "job_id": "olgas-daily", "identifier": "olga"}
            assert told(call(pair.sven, route, **names), **names) == missing, route
        assert pair.rows() == before, route


def test_the_same_questions_are_answered_for_olga(pair: Pair) -> None:
    """Else the test above would show nothing."""
    for route in OF_A_THING:
        if route.startswith("GET "):
            assert answers(pair, route) & ANSWERED, route


@pytest.mark.parametrize("route", [route for route in OF_A_THING if not route.startswith("GET ")])
def test_the_same_changes_are_made_for_olga(pair: Pair, route: str) -> None:
    assert answers(pair, route) & {200, 201, 202, 204}


def answers(pair: Pair, route: str) -> set[int]:
    """Give how Olga's calls about each of her runs, or about her job or a token, are answered."""
    return {
        call(pair.olga, route, run_id=str(run_id), job_id="olgas-daily", identifier="sven").status_code
        for run_id in pair.runs.values()
    }


def test_nothing_that_sven_reads_tells_of_olga(pair: Pair) -> None:
    telling = set()
    for route in READINGS:
        answer = call(pair.sven, route)
        assert answer.status_code in (*ANSWERED, 503), route
        if any(mark in answer.get_data(as_text=True).lower() for mark in MARKS):
            telling.add(route)
    assert telling == SHARED.keys()


@pytest.mark.parametrize("route", SHARED)
def test_of_what_the_nodes_share_sven_reads_this_and_not_whose_it_is(pair: Pair, route: str) -> None:
    [item] = call(pair.sven, route).get_json()["items"]
    assert item.keys() == SHARED[route]
    assert "olgas-group" not in json.dumps(item)


def test_no_filter_shows_sven_a_run_of_olga(pair: Pair) -> None:
    states = [f"status={status}" for status in RunStatus]
    whose = ["owner=olgas-group", "job=olgas-daily", "owner=olgas-group&job=olgas-daily&tool=spike"]
    for query in ("", "tool=spike", *whose, *states):
        items = pair.sven.get(f"/api/runs?{query}").get_json()["items"]
        assert {item["id"] for item in items} <= {pair.own_run}, query
        assert pair.olga.get(f"/api/runs?{query}").get_json()["items"], query


def test_no_search_shows_sven_a_run_of_olga(pair: Pair) -> None:
    described = pair.callers.app.extensions[context.DESCRIPTION].to_dict()
    filters = described["components"]["schemas"]["RunSearch"]["properties"].keys() - {"limit", "cursor"}
    assert filters == SEARCHES.keys()
    for name, value in SEARCHES.items():
        for searched in ({name: value}, {name: value, "owner": "olgas-group"}, {name: value, "submitter": "olga"}):
            items = pair.sven.post("/api/search/runs", json=searched).get_json()["items"]
            assert {item["id"] for item in items} <= {pair.own_run}, searched
            assert pair.olga.post("/api/search/runs", json=searched).get_json()["items"], searched


def test_pages_tell_nothing_of_the_runs_between(pair: Pair) -> None:
    second = pair.sven.post("/api/runs", json={"jobSpec": {"tool": "spike"}}).get_json()["runId"]
    _a_run(pair.callers, RunStatus.SUCCEEDED)
    first_page = pair.sven.get("/api/runs?limit=1").get_json()
    last_page = pair.sven.get(f"/api/runs?limit=1&cursor={first_page['next']}").get_json()
    assert [item["id"] for item in first_page["items"] + last_page["items"]] == [second, pair.own_run]
    assert last_page["next"] is None


def test_names_that_are_taken_are_refused_without_saying_by_whom(pair: Pair) -> None:
    before = pair.rows()
    job = pair.sven.post("/api/jobs", json={"tool": "spike", "schedule": "daily", "id": "olgas-daily"})
    token = pair.sven.post("/api/security/tokens/olga", json={"permissions": ["job_submit"]})
    assert (job.status_code, token.status_code) == (403, 403)
    assert "olgas-group" not in job.get_data(as_text=True) + token.get_data(as_text=True)
    assert pair.rows() == before


def test_sven_makes_nothing_in_the_name_of_olgas_group(pair: Pair) -> None:
    before = pair.rows()
    body = {"permissions": ["job_submit"], "owner": "olgas-group"}
    assert pair.sven.post("/api/security/tokens/mine", json=body).status_code == 403
    assert pair.rows() == before


def test_a_webhook_of_olgas_run_wants_more_than_its_number(pair: Pair) -> None:
    before = pair.rows()
    for run_id in (*pair.runs.values(), 999_999):
        guess = f"{run_id}-{'0' * 64}"
        assert pair.sven.post(f"/api/webhooks/runs/{guess}", json={"status": "FAILED"}).status_code == 404
        assert pair.sven.get(f"/api/webhooks/runs/{guess}/files/olgas.txt").status_code == 404
    assert pair.rows() == before


def test_an_expired_token_opens_what_is_public_and_nothing_else(pair: Pair) -> None:
    with pair.callers.database.transaction() as session:
        session.execute(text("update tokens set expires_at = now() - interval '1 second'"))
    opened = {
        route
        for route in ROUTES
        if call(pair.olga, route, run_id="1", job_id="olgas-daily", identifier="olga", name="spike").status_code
        not in (401, 429)
    }
    assert opened == {
        "GET /healthz",
        "GET /api/openapi.json",
        "GET /api/docs",
        "GET /api/docs/<name>",
        "GET /api/docs/start.js",
    }
