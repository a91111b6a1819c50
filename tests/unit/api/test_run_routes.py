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
    "infrastructureFailures",
    "toolFailures",
    "isManualStart",
    "locks",
    "lockToken",
    "definedTime",
    "notBeforeTime",
    "submissionTime",
    "startTime",
    "endTime",
    "outputRemovedTime",
    "filesRemovedTime",
    "exitCode",
    "imageDigest",
    "inputCommit",
    "outputCommit",
    "definitionCommit",
    "replayOf",
    "pushState",
    "pushMessage",
    "quarantineState",
    "quarantineCommit",
    "quarantineMessage",
    "metrics",
    "warnings",
    "spike",
    "links",
]


def test_running_a_tool_answers_with_the_number_of_the_run(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/tools/spike/runs", json={"timeoutSeconds": 5, "env": {"A_B": "c"}, "description": "d"})
    assert (answer.status_code, answer.get_json(), answer.headers["Location"]) == (202, {"runId": 12}, "/api/runs/12")
    (_, (_, tool, wishes), options), *_ = services.submissions.calls
    assert (tool, wishes) == ("spike", {"timeout_seconds": 5, "env": {"A_B": "c"}, "description": "d"})
    assert options == {"key": None}


def test_running_a_tool_needs_no_body(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/tools/spike/runs").status_code == 202
    assert services.submissions.calls[0][1][2] == {"description": ""}


def test_a_run_is_submitted_by_its_job_spec(owner: FlaskClient, services: SimpleNamespace) -> None:
    spec = {"tool": "spike", "labels": {"a": "b"}, "publish": "none"}
    assert owner.post("/api/runs", json={"jobSpec": spec}).get_json() == {"runId": 12}
    (_, (_, tool, wishes), _), *_ = services.submissions.calls
    assert (tool, wishes) == ("spike", {"publish": "none", "description": "", "labels": {"a": "b"}})


@pytest.mark.parametrize("way", ["tool", "spec"])
def test_what_is_wished_for_a_run_reaches_the_service(owner: FlaskClient, services: SimpleNamespace, way: str) -> None:
    wishes = {"manualStart": True, "runtimeVariables": True, "locks": ["site"], "infrastructureRetries": 3}
    more = {"labels": {"team": "a"}, "toolRetries": 1}
    body = {**wishes, **more} if way == "tool" else {"jobSpec": {"tool": "spike", **wishes, **more}}
    assert owner.post("/api/tools/spike/runs" if way == "tool" else "/api/runs", json=body).status_code == 202
    assert services.submissions.calls[0][1][2] == {
        "is_manual_start": True,
        "has_runtime_variables": True,
        "locks": ["site"],
        "infrastructure_retries": 3,
        "tool_retries": 1,
        "labels": {"team": "a"},
        "description": "",
    }


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
        ({"infrastructureRetries": 11}, "infrastructureRetries"),
        ({"toolRetries": -1}, "toolRetries"),
        ({"toolRetries": "1"}, "toolRetries"),
        ({"manualStart": "yes"}, "manualStart"),
        ({"manualStart": 1}, "manualStart"),
        ({"runtimeVariables": None}, "runtimeVariables"),
        ({"locks": ["a/b"]}, "locks"),
        ({"locks": [f"lock-{number}" for number in range(17)]}, "locks"),
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
    assert run["links"] == {
        "self": "/api/runs/1",
        "output": "/api/runs/1/output.txt",
        "events": "/api/runs/1/events",
        "report": "/api/runs/1/report",
        "tool": "/api/tools/spike",
    }


def test_runs_are_listed_and_come_newest_first(owner: FlaskClient, services: SimpleNamespace) -> None:
    first = owner.get("/api/runs?limit=2&tool=spike&status=RUNNING&owner=me&job=nightly").get_json()
    assert [run["id"] for run in first["items"]] == [3, 2]
    wanted = {"tool": "spike", "states": ["RUNNING"], "owner": "me", "job_id": "nightly"}
    assert services.runs.calls[0][1][1:] == (wanted, None, 3)
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


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "999999999999999999999"])
def test_a_number_that_no_row_can_have_is_unknown_like_any_other(owner: FlaskClient, number: str) -> None:
    rules = [rule for rule in owner.application.url_map.iter_rules() if "<row:" in rule.rule]
    tried = set()
    for rule in rules:
        name = rule.rule.partition("<row:")[2].partition(">")[0]
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        path = rule.rule.replace(f"<row:{name}>", number).replace("<file_id>", "a.txt").replace("<name>", "spike")
        answer = owner.open(path, method=method, json={"why": "a mistake"} if name == "decision_id" else None)
        what = name.removesuffix("_id")
        assert (answer.status_code, answer.get_json()["message"]) == (404, f"There is no {what} {number}.")
        tried.add(name)
    assert tried == {"run_id", "decision_id"}
