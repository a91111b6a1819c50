"""Runs over HTTP."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

RUN_KEYS = [
    "id",
    "parentId",
    "tool",
    "jobId",
    "dueTime",
    "status",
    "cause",
    "message",
    "waitingFor",
    "description",
    "submitter",
    "owner",
    "backend",
    "labels",
    "parameters",
    "identificationKeys",
    "profile",
    "node",
    "attempt",
    "definedTime",
    "submissionTime",
    "startTime",
    "endTime",
    "exitCode",
    "imageDigest",
    "inputCommit",
    "outputCommit",
    "warnings",
    "spike",
    "links",
]


def test_running_a_tool_answers_with_the_number_of_the_run(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/tools/spike/runs", json={"timeoutSeconds": 5, "env": {"A_B": "c"}, "description": "d"})
    assert (answer.status_code, answer.get_json(), answer.headers["Location"]) == (202, {"runId": 12}, "/api/runs/12")
    (_, (_, tool, parameters), options), *_ = services.runs.calls
    assert (tool, parameters, options) == (
        "spike",
        {"timeout_seconds": 5, "env": {"A_B": "c"}},
        {"description": "d"},
    )


def test_running_a_tool_needs_no_body(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/tools/spike/runs").status_code == 202
    assert services.runs.calls[0][1][2] == {}


def test_a_run_is_submitted_by_its_job_spec(owner: FlaskClient, services: SimpleNamespace) -> None:
    spec = {"tool": "spike", "labels": {"a": "b"}, "publish": "none"}
    assert owner.post("/api/runs", json={"jobSpec": spec}).get_json() == {"runId": 12}
    (_, (_, tool, parameters), options), *_ = services.runs.calls
    assert (tool, parameters) == ("spike", {"publish": "none"})
    assert options == {"description": "", "labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"timeoutSeconds": 0}, "timeoutSeconds"),
        ({"env": {"MAO_RUN_ID": "1"}}, "env"),
        ({"env": {"A": 1}}, "env"),
        ({"publish": "everything"}, "publish"),
        ({"command": "ls -l"}, "command"),
        ({"command": None}, "command"),
        ({"timeout_seconds": 5}, "timeout_seconds"),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_named(owner: FlaskClient, parameters: dict[str, object], field: str) -> None:
    answer = owner.post("/api/runs", json={"jobSpec": {"tool": "spike", **parameters}})
    assert answer.status_code == 422
    assert field in answer.get_json()["errors"]["json"]["jobSpec"]


def test_a_run_shows_every_key_in_camel_case_with_times_that_have_a_zone(owner: FlaskClient) -> None:
    run = owner.get("/api/runs/1").get_json()
    assert list(run) == RUN_KEYS
    assert run["definedTime"] == "2024-02-29T12:00:00+00:00"
    assert run["spike"] == {"rollingAverage": 900.0}
    assert run["parameters"] == {"timeoutSeconds": 60, "env": {"SOME_KEY": "x"}}
    assert run["labels"] == {"some_label": "x"}
    assert run["links"]["output"] == "/api/runs/1/output.txt"


def test_runs_are_searched_and_come_newest_first(owner: FlaskClient, services: SimpleNamespace) -> None:
    first = owner.get("/api/runs?limit=2&tool=spike&status=RUNNING&owner=me&job=nightly").get_json()
    assert [run["id"] for run in first["items"]] == [3, 2]
    assert services.runs.calls[0][2] == {
        "after": None,
        "limit": 3,
        "tool": "spike",
        "status": "RUNNING",
        "owner": "me",
        "job_id": "nightly",
    }
    second = owner.get(f"/api/runs?limit=2&cursor={first['next']}").get_json()
    assert ([run["id"] for run in second["items"]], second["next"]) == ([1], None)


@pytest.mark.parametrize(("query", "is_forced"), [("", False), ("?force=true", True)])
def test_a_stop_is_accepted_with_the_run_as_it_is(
    owner: FlaskClient, services: SimpleNamespace, query: str, is_forced: bool
) -> None:
    answer = owner.delete(f"/api/runs/1{query}")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "ABORTING")
    assert services.runs.calls[0][2] == {"is_forced": is_forced}


def test_a_stop_of_a_run_that_is_over_is_a_conflict(owner: FlaskClient) -> None:
    assert owner.delete("/api/runs/2").status_code == 409


@pytest.mark.parametrize(("query", "seconds"), [("", 30), ("?timeout=0", 0), ("?timeout=60", 60)])
def test_a_wait_takes_no_longer_than_it_was_told(
    owner: FlaskClient, services: SimpleNamespace, query: str, seconds: int
) -> None:
    assert owner.get(f"/api/runs/1/wait{query}").get_json()["status"] == "SUCCEEDED"
    assert services.runs.calls[0][1][2] == seconds


def test_a_report_is_shown_as_it_was_stored(owner: FlaskClient) -> None:
    report = owner.get("/api/runs/1/report").get_json()
    assert report == {"verdict": "ok", "text": "Report:", "toolImage": "i", "message": {"cron": False}, "spike": None}


def test_events_say_when_from_what_to_what_by_whom_and_why(owner: FlaskClient) -> None:
    (event,) = owner.get("/api/runs/1/events").get_json()["items"]
    assert list(event) == ["time", "fromStatus", "toStatus", "actor", "cause"]
