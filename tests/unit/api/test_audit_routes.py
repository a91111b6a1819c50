"""The audit log and the tokens over HTTP, and what every request does for the log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.bodies import fields_of
from app.api.security import Changes, public, requires
from app.errors import DatabaseDown
from app.models.token import Permission
from app.services.refusals import Counted


def recorded(services: SimpleNamespace) -> list[tuple[Any, ...]]:
    """Give what the log was told: actor, action, target, then result and details."""
    return [arguments for name, arguments, _ in services.audit.calls if name in ("begin", "finish")]


def test_a_change_is_begun_and_finished_in_the_log(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.delete("/api/runs/1?force=true")
    begun, finished = services.audit.calls
    assert begun[1] == ("root", "runs.stop_run", "/api/runs/1")
    assert begun[2]["owner"] == "operator"
    assert begun[2]["details"] == {"query": "force=true"}
    assert finished[1] == (1, "202", {"query": "force=true"})


def test_what_was_made_is_named(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.post("/api/runs", json={"jobSpec": {"tool": "spike", "env": {"A": "secret"}}})
    assert recorded(services)[1][2] == {
        "fields": ["jobSpec", "jobSpec.tool", "jobSpec.env"],
        "made": "/api/runs/12",
    }


def test_where_the_log_cannot_be_written_nothing_is_changed(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.audit.error = DatabaseDown("PostgreSQL does not answer.")
    assert owner.delete("/api/tools/spike").status_code == 503
    assert services.tools.calls == []


def test_a_change_of_the_registry_waits_for_the_disk_and_one_of_postgres_follows_in_order(
    owner: FlaskClient, services: SimpleNamespace
) -> None:
    owner.delete("/api/tools/spike")
    owner.delete("/api/jobs/spike")
    assert [options["is_ordered"] for name, _, options in services.audit.calls if name == "begin"] == [False, True]


def test_a_view_that_changes_nothing_leaves_no_row(fresh_app: Flask, services: SimpleNamespace) -> None:
    view = requires(Permission.JOB_RUN_SEARCH, changes=Changes.NOTHING)(lambda: "found")
    fresh_app.add_url_rule("/search", view_func=view, methods=["POST"], endpoint="search")
    answer = fresh_app.test_client().post("/search", headers={"X-Api-Token": "secret-of-all"})
    assert (answer.status_code, services.audit.calls) == (200, [])


@pytest.mark.parametrize(("secret", "shown"), [("12-ab34", "12-***"), ("s3cret", "***"), ("s3-cret", "***")])
def test_a_secret_in_an_address_is_not_in_the_log(
    fresh_app: Flask, services: SimpleNamespace, secret: str, shown: str
) -> None:
    view = public(lambda webhook_id: "thanks")
    fresh_app.add_url_rule("/webhooks/<webhook_id>", view_func=view, methods=["POST"], endpoint="hook")
    fresh_app.test_client().post(f"/webhooks/{secret}")
    assert recorded(services)[0] == ("(nobody)", "hook", f"/webhooks/{shown}")


def test_a_refused_call_is_recorded_with_the_name_that_it_claims(
    nobody: FlaskClient, services: SimpleNamespace
) -> None:
    nobody.delete("/api/runs/1", headers={"X-Api-Token": "mao_ci_" + "x" * 43})
    assert services.refusals.calls == [("count", ("127.0.0.1", "ci"), {})]
    ((name, arguments, options),) = services.audit.calls
    assert (name, arguments) == ("begin", ("(nobody)", "runs.stop_run", "/api/runs/1"))
    assert (options["result"], options["details"]) == ("401", {"method": "DELETE", "claimed": "ci"})


def test_a_caller_who_was_refused_too_often_is_told_when_to_come_back(
    nobody: FlaskClient, reader: FlaskClient, services: SimpleNamespace
) -> None:
    services.refusals.counted = Counted(is_recorded=False, wait_seconds=17)
    answer = nobody.get("/api/runs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "17")
    assert reader.get("/api/runs").status_code == 403
    assert reader.get("/api/tools").status_code == 200
    assert services.audit.calls == []


def test_names_of_fields_are_told_and_no_values() -> None:
    assert fields_of({"a": 1, "b": {"c": 2}}) == ["a", "b"]
    assert fields_of({"jobSpec": {"tool": "x", "env": {"A": "b"}}}) == ["jobSpec", "jobSpec.tool", "jobSpec.env"]
    assert fields_of([1]) == fields_of("x") == fields_of(None) == []
    assert len(fields_of({str(number): 1 for number in range(1000)})) == 30
    assert len(fields_of({"x" * 1000: 1, "y": 2})[0]) == 64


def test_the_log_is_read_page_by_page_with_every_filter(owner: FlaskClient, services: SimpleNamespace) -> None:
    query = "actor=a&action=b&target=/c&from=2024-01-01T00:00:00Z&to=2025-01-01T00:00:00Z&limit=2"
    first = owner.get(f"/api/audit-log?{query}").get_json()
    second = owner.get(f"/api/audit-log?limit=2&cursor={first['next']}").get_json()
    assert [item["id"] for item in first["items"] + second["items"]] == [3, 2, 1]
    asked = services.audit.calls[0][2]
    assert (asked["actor"], asked["action"], asked["target"], asked["after"], asked["limit"]) == (
        "a",
        "b",
        "/c",
        None,
        3,
    )
    assert (asked["since"].year, asked["until"].year) == (2024, 2025)
    assert list(first["items"][0]) == [
        "id",
        "time",
        "actor",
        "owner",
        "action",
        "target",
        "address",
        "requestId",
        "result",
        "details",
    ]


def test_tokens_are_listed_page_by_page_without_a_secret(owner: FlaskClient) -> None:
    first = owner.get("/api/security/tokens?limit=1").get_json()
    second = owner.get(f"/api/security/tokens?limit=1&cursor={first['next']}").get_json()
    assert [item["identifier"] for item in first["items"] + second["items"]] == ["reader", "root"]
    assert "hash" not in str(first)
    assert "lastUsedTime" in first["items"][0]


@pytest.mark.parametrize(("body", "seconds"), [(None, 0), ({"overlapSeconds": 86_400}, 86_400)])
def test_a_rotation_shows_the_new_secret_once(
    reader: FlaskClient, services: SimpleNamespace, body: Any, seconds: int
) -> None:
    answer = reader.post("/api/security/tokens/reader/rotate", json=body)
    assert (answer.status_code, answer.get_json()["token"]) == (200, "mao_root_rotated")
    assert services.tokens.calls[0][1][1:] == ("reader", seconds)


@pytest.mark.parametrize("seconds", [-1, 86_401, "9", 1.5, None])
def test_an_overlap_beyond_a_day_is_refused(owner: FlaskClient, seconds: object) -> None:
    answer = owner.post("/api/security/tokens/root/rotate", json={"overlapSeconds": seconds})
    assert answer.status_code == 422
