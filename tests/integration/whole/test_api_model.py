"""Random sequences of calls, compared step by step with a small model of what the API promises."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from app.api.context import EXTENSION
from app.factory import create_app
from app.models.run import Cause, RunStatus
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from app.repositories.runs import RunRepository
from app.settings import Settings
from app.wiring import Services
from tests.api_calls import TOOL
from tests.integration.whole.stepped_agent import SteppedAgent

pytestmark = pytest.mark.long

SEQUENCES = int(os.environ.get("MAO_TEST_SEQUENCES", "60"))
STEPS = 40
NAMES = st.sampled_from(["alpha", "beta", "gamma"])
KEYS = st.sampled_from([None, None, "key-1", "key-2"])
PICK = st.integers(0, 9)
PAGE = st.integers(1, 4)
ENTRY = {**TOOL, "labels": {"_execution_backend_id": "dummy"}}
SCHEDULES = st.sampled_from(["daily", "weekly", "5 4 * * *"])
CRONTABS = {"daily": "0 0 * * *", "weekly": "0 0 * * 0", "5 4 * * *": "5 4 * * *"}
TABLES = "runs, run_events, jobs, firings, idempotency_keys, clones, notifications, audit_log, refusals"


@dataclass
class House:
    """The API over real services, and an agent that works when it is told to."""

    client: FlaskClient
    database: Database
    kv: EtcdKv
    agent: SteppedAgent

    def empty(self) -> None:
        with self.database.transaction() as session:
            session.execute(text(f"truncate {TABLES} cascade"))
            session.execute(text("delete from tokens where identifier <> 'root'"))
        for entry in self.kv.list("/mao/tools/"):
            self.kv.delete(entry.key, entry.revision)

    def lose(self, run_id: int) -> None:
        """Do what an agent does that cannot show how a run went."""
        with self.database.transaction() as session:
            runs = RunRepository(session)
            runs.change(run_id, RunStatus.WAITING_LOCKS, RunStatus.PENDING_SUBMIT, actor="agent")
            runs.change(run_id, RunStatus.PENDING_SUBMIT, RunStatus.IN_DOUBT, actor="agent", cause=Cause.LOST)


class ApiModel(RuleBasedStateMachine):
    """What the API should have stored, and every call with the answer that follows from it."""

    house: House
    answers: ClassVar[Counter[int]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.house.empty()
        self.tools: dict[str, str] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.keys: dict[str, tuple[Any, int]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, str] = {}
        self.dead_secrets: list[str] = []
        # Most calls are about a tool, so there is one from the beginning.
        added = self.call("POST", "/api/tools", json={**ENTRY, "name": "alpha"}, expected=201)
        self.tools["alpha"] = added.headers["ETag"]

    # The registry.

    @rule(name=NAMES)
    def register(self, name: str) -> None:
        answer = self.call(
            "POST", "/api/tools", json={**ENTRY, "name": name}, expected=409 if name in self.tools else 201
        )
        self.tools.setdefault(name, answer.headers.get("ETag", ""))

    @rule(name=NAMES, is_stale=st.booleans())
    def replace(self, name: str, is_stale: bool) -> None:
        revision = '"1"' if is_stale else self.tools.get(name, '"1"')
        expected = 404 if name not in self.tools else 412 if is_stale else 200
        answer = self.call(
            "PUT", f"/api/tools/{name}", json={**ENTRY, "name": name}, headers={"If-Match": revision}, expected=expected
        )
        if answer.status_code == 200:
            self.tools[name] = answer.headers["ETag"]

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.call("DELETE", f"/api/tools/{name}", expected=204 if name in self.tools else 404)
        self.tools.pop(name, None)

    @rule(size=PAGE)
    def list_tools(self, size: int) -> None:
        assert [tool["name"] for tool in self.pages("GET", "/api/tools", size)] == sorted(self.tools)

    # Runs.

    @rule(tool=NAMES, key=KEYS, is_manual=st.booleans())
    def submit(self, tool: str, key: str | None, is_manual: bool) -> None:
        body = {"jobSpec": {"tool": tool, "manualStart": is_manual}}
        self.accept("/api/runs", body, key, tool=tool, parent=None, is_manual=is_manual, problem=None)

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, key=KEYS)
    def resubmit(self, pick: int, key: str | None) -> None:
        run_id = self.picked(pick)
        old = self.runs[run_id]
        problem = None if old["status"] in ("SUCCEEDED", "FAILED", "ABORTED", "IN_DOUBT") else 409
        parent = old["parentId"] or run_id
        self.accept(f"/api/runs/{run_id}/resubmit", {}, key, tool=old["tool"], parent=parent, problem=problem)

    @precondition(lambda self: self.runs)
    @rule(pick=PICK)
    def start(self, pick: int) -> None:
        self.change("POST", "/start", pick, {"DEFINED": "WAITING_LOCKS"}, 202)

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, force=st.sampled_from(["", "?force=true"]))
    def stop(self, pick: int, force: str) -> None:
        self.change("DELETE", force, pick, {"DEFINED": "ABORTED", "WAITING_LOCKS": "ABORTED"}, 202)

    @precondition(lambda self: self.runs)
    @rule(pick=PICK, status=st.sampled_from(["SUCCEEDED", "FAILED", "ABORTED"]))
    def resolve(self, pick: int, status: str) -> None:
        body = {"status": status, "reason": "The data were looked at."}
        self.change("POST", "/resolve", pick, {"IN_DOUBT": status}, 200, json=body)

    @precondition(lambda self: self.waiting())
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        run_id = self.waiting()[pick % len(self.waiting())]
        self.house.lose(run_id)
        self.runs[run_id]["status"] = "IN_DOUBT"

    @precondition(lambda self: self.waiting())
    @rule()
    def work(self) -> None:
        waiting = self.waiting()
        self.house.agent.work_off(waiting)
        for run_id in waiting:
            self.runs[run_id]["status"] = "SUCCEEDED"

    @rule(size=PAGE)
    def list_runs(self, size: int) -> None:
        assert self.shown(self.pages("GET", "/api/runs", size)) == self.expected()

    @rule(size=PAGE, tool=NAMES, states=st.sets(st.sampled_from(list(RunStatus)), min_size=1, max_size=3))
    def search(self, size: int, tool: str, states: set[RunStatus]) -> None:
        wanted = {"tool": tool, "states": sorted(map(str, states))}
        found = self.pages("POST", "/api/search/runs", size, wanted)
        assert self.shown(found) == [
            run for run in self.expected() if run["tool"] == tool and RunStatus(run["status"]) in states
        ]

    # Jobs.

    @rule(job_id=NAMES, tool=NAMES, schedule=SCHEDULES)
    def schedule(self, job_id: str, tool: str, schedule: str) -> None:
        expected = 404 if tool not in self.tools else 200 if job_id in self.jobs else 201
        self.call("POST", "/api/jobs", json={"id": job_id, "tool": tool, "schedule": schedule}, expected=expected)
        if expected != 404:
            paused = self.jobs.get(job_id, {}).get("pauseReason")
            self.jobs[job_id] = {"tool": tool, "schedule": CRONTABS[schedule], "pauseReason": paused}

    @rule(job_id=NAMES, schedule=SCHEDULES)
    def edit(self, job_id: str, schedule: str) -> None:
        self.change_job("PATCH", job_id, "", {"schedule": schedule}, schedule=CRONTABS[schedule])

    @rule(job_id=NAMES, reason=st.sampled_from(["the source is down", "holidays"]))
    def pause(self, job_id: str, reason: str) -> None:
        self.change_job("POST", job_id, "/pause", {"reason": reason}, pauseReason=reason)

    @rule(job_id=NAMES)
    def resume(self, job_id: str) -> None:
        self.change_job("POST", job_id, "/resume", {}, pauseReason=None)

    @rule(job_id=NAMES)
    def unschedule(self, job_id: str) -> None:
        self.call("DELETE", f"/api/jobs/{job_id}", expected=204 if job_id in self.jobs else 404)
        self.jobs.pop(job_id, None)

    @rule(size=PAGE)
    def list_jobs(self, size: int) -> None:
        shown = {
            job["id"]: {key: job[key] for key in ("tool", "schedule", "pauseReason")} for job in self.jobs_of(size)
        }
        assert shown == self.jobs
        assert list(shown) == sorted(shown)

    # Tokens.

    @rule(name=NAMES)
    def create_token(self, name: str) -> None:
        body = {"permissions": ["job_submit"]}
        answer = self.call("POST", f"/api/security/tokens/{name}", json=body, expected=201)
        self.now_has(name, answer.get_json()["token"])

    @rule(name=NAMES)
    def rotate_token(self, name: str) -> None:
        answer = self.call(
            "POST", f"/api/security/tokens/{name}/rotate", json={}, expected=200 if name in self.secrets else 404
        )
        if name in self.secrets:
            self.now_has(name, answer.get_json()["token"])

    @rule(name=NAMES)
    def revoke_token(self, name: str) -> None:
        self.call("DELETE", f"/api/security/tokens/{name}", expected=204 if name in self.secrets else 404)
        self.now_has(name, None)

    @rule(size=PAGE)
    def tokens_are_worth_what_they_should(self, size: int) -> None:
        listed = [token["identifier"] for token in self.pages("GET", "/api/security/tokens", size)]
        assert listed == sorted([*self.secrets, "root"])
        for name, secret in self.secrets.items():
            answer = self.call("GET", "/api/security/whoami", headers={"X-Api-Token": secret}, expected=200)
            assert answer.get_json()["identifier"] == name
        for secret in self.dead_secrets[-2:]:
            self.call("GET", "/api/security/whoami", headers={"X-Api-Token": secret}, expected=401)

    # What the rules have in common.

    def call(self, method: str, path: str, *, expected: int, **arguments: Any) -> Any:
        answer = self.house.client.open(path, method=method, **arguments)
        self.answers[answer.status_code] += 1
        assert answer.status_code == expected, f"{method} {path} {arguments}: {answer.get_data(as_text=True)}"
        return answer

    def pages(self, method: str, path: str, size: int, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            place = {"limit": size, **({"cursor": cursor} if cursor else {})}
            arguments = {"query_string": place} if body is None else {"json": {**body, **place}}
            page = self.call(method, path, expected=200, **arguments).get_json()
            assert len(page["items"]) <= size
            found += page["items"]
            cursor = page["next"]
        return found

    def jobs_of(self, size: int) -> list[dict[str, Any]]:
        return self.pages("GET", "/api/jobs", size)

    def accept(
        self, path: str, body: Any, key: str | None, *, tool: str, parent: int | None, problem: int | None, **how: Any
    ) -> None:
        """Ask for a run, and expect what the key, the old run and the tool say, in that order."""
        made = self.keys.get(key or "")
        if made is not None:
            expected = 202 if made[0] == (path, body) else 409
        else:
            expected = problem or (202 if tool in self.tools else 404)
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = self.call("POST", path, json=body, headers=headers, expected=expected)
        if expected != 202:
            return
        run_id = answer.get_json()["runId"]
        if made is not None:
            assert run_id == made[1]
            return
        assert run_id > max(self.runs, default=0)
        status = "DEFINED" if how.get("is_manual") else "WAITING_LOCKS"
        self.runs[run_id] = {"id": run_id, "tool": tool, "status": status, "parentId": parent}
        if key is not None:
            self.keys[key] = ((path, body), run_id)

    def change(
        self, method: str, action: str, pick: int, legal: dict[str, str], done: int, json: Any | None = None
    ) -> None:
        """Change the state of a run, where the table says that it may be."""
        run = self.runs[self.picked(pick)]
        expected = done if run["status"] in legal else 409
        self.call(method, f"/api/runs/{run['id']}{action}", json=json or {}, expected=expected)
        run["status"] = legal.get(run["status"], run["status"])

    def change_job(self, method: str, job_id: str, action: str, body: Any, **changes: Any) -> None:
        self.call(method, f"/api/jobs/{job_id}{action}", json=body, expected=200 if job_id in self.jobs else 404)
        if job_id in self.jobs:
            self.jobs[job_id].update(changes)

    def now_has(self, name: str, secret: str | None) -> None:
        if old := self.secrets.pop(name, None):
            self.dead_secrets.append(old)
        if secret is not None:
            self.secrets[name] = secret

    def picked(self, pick: int) -> int:
        known = sorted(self.runs, reverse=True)
        return known[pick % len(known)]

    def waiting(self) -> list[int]:
        return [run_id for run_id, run in self.runs.items() if run["status"] == "WAITING_LOCKS"]

    def expected(self) -> list[dict[str, Any]]:
        return [self.runs[run_id] for run_id in sorted(self.runs, reverse=True)]

    def shown(self, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: run[key] for key in ("id", "tool", "status", "parentId")} for run in runs]

    def teardown(self) -> None:
        if hasattr(self, "runs"):
            self.list_runs(3)
            self.list_jobs(2)
            self.list_tools(2)


@pytest.fixture
def house(settings: Settings, kv: EtcdKv) -> Iterator[House]:
    unlimited = replace(settings, limits=replace(settings.limits, refusals_per_minute=100_000))
    app = create_app(unlimited)
    client = app.test_client()
    services: Services = app.extensions[EXTENSION]
    client.environ_base["HTTP_X_API_TOKEN"] = services.tokens.create_root("tester")
    database = Database(unlimited.database_url)
    agent = SteppedAgent(unlimited)
    yield House(client, database, kv, agent)
    agent.end()
    services.close()
    database.close()


def test_random_sequences_of_calls_do_what_the_model_says(house: House) -> None:
    ApiModel.house = house
    began = time.monotonic()
    run_state_machine_as_test(
        ApiModel,
        settings=hypothesis_settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize="MAO_TEST_SEQUENCES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
    answers = ApiModel.answers
    print(
        f"{SEQUENCES} sequences, {answers.total()} calls in {time.monotonic() - began:.0f} s: {sorted(answers.items())}"
    )
    assert set(answers) >= {200, 201, 202, 204, 401, 404, 409, 412}
