"""The audit log: no change without its row, in the words of who made it, and nothing secret in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app.models.token import Permission
from app.settings import Settings
from tests.integration.core.callers import Callers

ENTRY = {"author": "a", "image": "i", "data_repo": "", "code_repo": "", "artefact": "", "env": {"PASSWORD": "hunter2"}}


@pytest.fixture
def olga(callers: Callers) -> FlaskClient:
    return callers.make("olga", list(Permission), "archive-group")


def rows(callers: Callers) -> list[dict[str, Any]]:
    with callers.database.transaction() as session:
        found = session.execute(text("select * from audit_log order by id")).mappings()
        return [dict(row) for row in found]


def test_a_change_is_recorded_with_who_what_where_and_result(callers: Callers, olga: FlaskClient) -> None:
    olga.post("/api/tools", json={"name": "spike", **ENTRY}, headers={"X-Request-Id": "r-1"})
    answer = olga.post("/api/tools/spike/runs", json={"description": "why", "env": {"A": "1"}})
    added, run = rows(callers)
    assert (added["actor"], added["owner"], added["action"]) == ("olga", "archive-group", "tools.add_tool")
    assert (added["target"], added["result"], added["request_id"]) == ("/api/tools", "201", "r-1")
    assert added["address"] == "127.0.0.1"
    assert added["details"] == {"fields": ["name", *ENTRY], "made": "/api/tools/spike"}
    made = f"/api/runs/{answer.get_json()['runId']}"
    assert (run["target"], run["result"]) == ("/api/tools/spike/runs", "202")
    assert run["details"] == {"fields": ["description", "env"], "made": made}


def test_no_value_that_was_sent_is_in_the_log(callers: Callers, olga: FlaskClient) -> None:
    olga.post("/api/tools", json={"name": "spike", **ENTRY})
    made = olga.post("/api/security/tokens/ci", json={"permissions": ["job_submit"]}).get_json()["token"]
    rotated = olga.post("/api/security/tokens/ci/rotate", json={"overlapSeconds": 5}).get_json()["token"]
    callers.showing("mao_ci_" + "x" * 43).get("/api/runs")
    told = str(rows(callers))
    assert len(rows(callers)) == 4
    assert not [secret for secret in ("hunter2", made[7:], rotated[7:], "x" * 43) if secret in told]


@pytest.mark.parametrize(
    ("method", "address", "body", "result"),
    [
        ("DELETE", "/api/runs/99?force=true", None, "404"),
        ("POST", "/api/runs", {"jobSpec": {"tool": "none"}}, "404"),
        ("POST", "/api/runs", {"colour": 1}, "422"),
        ("POST", "/api/jobs/spike/pause?x=%00", None, "422"),
        ("DELETE", "/api/tools/a%00b", None, "404"),
        ("DELETE", "/api/tools/%ed%a0%80", None, "404"),
    ],
)
def test_a_change_that_is_refused_later_is_recorded_with_its_result(
    callers: Callers, olga: FlaskClient, method: str, address: str, body: object, result: str
) -> None:
    answer = olga.open(address, method=method, json=body)
    (row,) = rows(callers)
    assert (str(answer.status_code), row["result"]) == (result, result)
    assert row["details"].get("query", "") == address.partition("?")[2]


def test_reading_leaves_no_row(callers: Callers, olga: FlaskClient) -> None:
    olga.get("/api/runs")
    olga.head("/api/tools")
    olga.options("/api/tools")
    assert rows(callers) == []


def test_the_row_is_there_before_the_change_is(
    callers: Callers, olga: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        callers.services.tools,
        "remove",
        lambda *_: seen.extend((row["action"], row["result"]) for row in rows(callers)),
    )
    olga.delete("/api/tools/spike")
    assert seen == [("tools.remove_tool", None)]


def test_without_a_row_there_is_no_change(callers: Callers, olga: FlaskClient) -> None:
    with callers.database.transaction() as session:
        session.execute(text("alter table audit_log rename to gone"))
    assert olga.post("/api/tools", json={"name": "spike", **ENTRY}).status_code == 503
    assert olga.get("/api/tools/spike").status_code == 404


def test_a_result_that_cannot_be_stored_does_not_take_the_answer_away(
    callers: Callers, olga: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = callers.services.tools.register

    def register_and_lose_the_log(*given: Any) -> Any:
        made = register(*given)
        with callers.database.transaction() as session:
            session.execute(text("alter table audit_log rename to gone"))
        return made

    monkeypatch.setattr(callers.services.tools, "register", register_and_lose_the_log)
    assert olga.post("/api/tools", json={"name": "spike", **ENTRY}).status_code == 201
    with callers.database.transaction() as session:
        assert session.execute(text("select action, result from gone")).all() == [("tools.add_tool", None)]


def test_a_crash_keeps_no_change_of_the_registry_without_its_row(callers: Callers, olga: FlaskClient) -> None:
    """Where the truth is elsewhere, the row waits for the disk; where it is PostgreSQL's, the later commit does."""
    statements: list[str] = []
    engine = callers.database._engine
    assert engine is not None
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    olga.post("/api/tools", json={"name": "spike", **ENTRY})
    assert not was_relaxed(statements)
    statements.clear()
    olga.post("/api/runs", json={"jobSpec": {"tool": "spike"}})
    assert was_relaxed(statements)


def was_relaxed(statements: Collection[str]) -> bool:
    """Tell whether the commit of the row did not wait for the disk."""
    texts = list(statements)
    place = next(number for number, text in enumerate(texts) if "INSERT INTO audit_log" in text)
    return "synchronous_commit to off" in texts[place - 1]


def test_the_log_is_read_page_by_page_and_by_each_filter(callers: Callers, olga: FlaskClient) -> None:
    for number in range(3):
        olga.post("/api/tools", json={"name": f"spike_{number}", **ENTRY})
    olga.delete("/api/tools/spike_1")
    first = olga.get("/api/audit-log?limit=3").get_json()
    second = olga.get(f"/api/audit-log?limit=3&cursor={first['next']}").get_json()
    assert [item["id"] for item in first["items"] + second["items"]] == [4, 3, 2, 1]
    assert second["next"] is None
    middle = first["items"][2]["time"].replace("+", "%2B")
    for query, expected in {
        "actor=olga": 4,
        "actor=sven": 0,
        "action=tools.remove_tool": 1,
        "target=/api/tools/spike": 1,
        "target=/api/tools": 4,
        "target=/api/tools/spike%25": 0,
        f"from={middle}": 3,
        f"to={middle}": 1,
    }.items():
        assert len(olga.get(f"/api/audit-log?{query}").get_json()["items"]) == expected, query


def test_who_does_not_administer_reads_what_their_own_tokens_did(callers: Callers, olga: FlaskClient) -> None:
    sven = callers.make("sven", [Permission.AUDIT_READ, Permission.JOB_SUBMIT], "other-group")
    olga.delete("/api/jobs/a")
    sven.post("/api/runs", json={"jobSpec": {"tool": "none"}})
    callers.showing(None).get("/api/runs")
    assert [item["actor"] for item in sven.get("/api/audit-log").get_json()["items"]] == ["sven"]
    assert [item["actor"] for item in olga.get("/api/audit-log").get_json()["items"]] == ["(nobody)", "sven", "olga"]


def test_the_root_token_and_what_commands_of_the_server_do_are_recorded(callers: Callers) -> None:
    callers.services.tokens.create_root("operator")
    callers.services.audit.note("mao gc", "images.remove", "sha256:1", {"bytes": 7})
    assert [(row["actor"], row["action"], row["target"], row["result"], row["details"]) for row in rows(callers)] == [
        ("mao token create", "security.create_root", "root", "done", {}),
        ("mao gc", "images.remove", "sha256:1", "done", {"bytes": 7}),
    ]


def test_refusals_are_recorded_up_to_the_limit_of_an_address(settings: Settings) -> None:
    few = Callers(replace(settings, limits=replace(settings.limits, refusals_per_minute=3)))
    poor = few.make("poor", [], "other-group")
    for _ in range(3):
        assert poor.get("/api/runs").status_code == 403
        few.showing("mao_root_" + "x" * 43).delete("/api/runs/1")
    told = [(row["actor"], row["action"], row["result"], row["details"]) for row in rows(few)]
    few.close()
    assert told == [
        ("poor", "runs.list_runs", "403", {"method": "GET"}),
        ("(nobody)", "runs.stop_run", "401", {"method": "DELETE", "claimed": "root"}),
        ("poor", "runs.list_runs", "403", {"method": "GET"}),
    ]
