"""Searching runs over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from .samples import NOON


def test_every_condition_reaches_the_service(owner: FlaskClient, services: SimpleNamespace) -> None:
    equal = {"submitter": "ci", "owner": "me", "tool": "spike", "jobId": "nightly", "parentId": 7, "cause": "oom"}
    made_with = {"imageDigest": "sha256:1", "inputCommit": "abc", "outputCommit": "def", "quarantineState": "held"}
    rest = {"states": ["FAILED", "SUCCEDED"], "labels": {"team": "a"}, "text": "harvest of"}
    when = {"definedFrom": "2024-02-29T12:00:00+02:00", "definedTo": "2024-03-01T00:00:00Z"}
    assert owner.post("/api/search/runs", json={**equal, **made_with, **rest, **when}).status_code == 200
    assert services.runs.calls[0][1][1:] == (
        {
            **{"submitter": "ci", "owner": "me", "tool": "spike", "job_id": "nightly", "parent_id": 7, "cause": "oom"},
            **{"image_digest": "sha256:1", "input_commit": "abc", "output_commit": "def", "quarantine_state": "held"},
            **rest,
            "defined_from": datetime(2024, 2, 29, 10, tzinfo=UTC),
            "defined_to": datetime(2024, 3, 1, tzinfo=UTC),
        },
        None,
        101,
    )


def test_without_conditions_all_runs_are_found(owner: FlaskClient, services: SimpleNamespace) -> None:
    found = owner.post("/api/search/runs").get_json()
    assert ([run["id"] for run in found["items"]], found["next"]) == ([3, 2, 1], None)


def test_a_page_begins_behind_the_one_before(owner: FlaskClient, services: SimpleNamespace) -> None:
    first = owner.post("/api/search/runs", json={"limit": 2}).get_json()
    assert [run["id"] for run in first["items"]] == [3, 2]
    second = owner.post("/api/search/runs", json={"limit": 2, "cursor": first["next"]}).get_json()
    assert ([run["id"] for run in second["items"]], second["next"]) == ([1], None)
    assert services.runs.calls[1][1][2] == (NOON, 2)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"states": []}, "states"),
        ({"states": ["RUNNING"] * 21}, "states"),
        ({"states": "RUNNING"}, "states"),
        ({"states": ["x" * 41]}, "states"),
        ({"cause": "bad luck"}, "cause"),
        ({"quarantineState": "lost"}, "quarantineState"),
        ({"tool": "t" * 256}, "tool"),
        ({"tool": 1}, "tool"),
        ({"text": "x" * 201}, "text"),
        ({"labels": {f"label-{number}": "" for number in range(21)}}, "labels"),
        ({"labels": {"a": "x" * 3000}}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"parentId": 0}, "parentId"),
        ({"parentId": "1"}, "parentId"),
        ({"definedFrom": "2024-02-29T12:00:00"}, "definedFrom"),
        ({"definedTo": "yesterday"}, "definedTo"),
        ({"definedTo": "0001-01-01T00:00:00+14:00"}, "definedTo"),
        ({"limit": 501}, "limit"),
        ({"limit": 0}, "limit"),
        ({"cursor": "MQ"}, "cursor"),
        ({"cursor": "MjAyNC0wMS0wMQ"}, "cursor"),
        ({"status": "RUNNING"}, "status"),
    ],
)
def test_a_condition_that_breaks_a_rule_is_named(
    owner: FlaskClient, services: SimpleNamespace, body: dict[str, object], field: str
) -> None:
    answer = owner.post("/api/search/runs", json=body)
    assert answer.status_code == 422
    assert field in answer.get_json()["errors"]["json"]
    assert services.runs.calls == []
