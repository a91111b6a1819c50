"""``maoctl run start|retry|resolve|refresh``, searches, and what a new run can be told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from cli.exits import Exit
from cli.times import now
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import REPORT_TEXT, a_page, a_run, prepare_run


def test_run_sends_every_wish(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    marks = ("--label", "team=a", "--label", "season=autumn", "--lock", "site", "--lock", "door")
    maoctl("tool", "run", "spike", *marks, "--retries", "3", "--tool-retries", "0", "--runtime-variables")
    assert server.bodies("POST") == [
        {
            "labels": {"team": "a", "season": "autumn"},
            "locks": ["site", "door"],
            "infrastructureRetries": 3,
            "toolRetries": 0,
            "runtimeVariables": True,
        }
    ]


def test_a_manual_start_waits_for_nothing(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    result = maoctl("tool", "run", "spike", "--manual")
    assert (result.exit, result.out) == (Exit.DONE, "12\n")
    assert server.bodies("POST") == [{"manualStart": True}]
    assert len(server.requests) == 1


@pytest.mark.parametrize("number", ["-1", "11", "many"])
def test_retries_are_0_to_10(maoctl: Run, server: StubServer, number: str) -> None:
    assert maoctl("tool", "run", "spike", "--retries", number).exit == Exit.USAGE
    assert server.requests == []


def test_a_schedule_may_have_retries(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs", Reply(201, {"id": "spike", "nextRunTime": None}))
    maoctl("tool", "schedule", "spike", "daily", "--retries", "2", "--tool-retries", "1")
    assert server.bodies("POST")[0]["parameters"] == {"infrastructureRetries": 2, "toolRetries": 1}


def test_start_says_where_the_run_stands(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/runs/12/start", Reply(202, a_run("WAITING_LOCKS")))
    assert maoctl("run", "start", "12").out == "Run 12 is started; it is WAITING_LOCKS now.\n"


def test_retry_prints_the_new_id(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/runs/11/resubmit", Reply(202, {"runId": 12}))
    assert maoctl("run", "retry", "11").out == "12\n"
    assert server.bodies("POST") == [{}]


def test_retry_sends_what_is_to_be_otherwise(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/runs/11/resubmit", Reply(202, {"runId": 12}))
    maoctl("run", "retry", "11", "--run-timeout", "2h", "--description", "again", "--", "python", "--version")
    parameters = {"command": ["python", "--version"], "timeoutSeconds": 7200}
    assert server.bodies("POST") == [{"parameters": parameters, "description": "again"}]


@pytest.mark.parametrize(("status", "expected"), [("SUCCEEDED", Exit.DONE), ("IN_DOUBT", Exit.IN_DOUBT)])
def test_retry_can_wait_for_the_new_run(maoctl: Run, server: StubServer, status: str, expected: Exit) -> None:
    prepare_run(server, status, verdict=None)
    server.on("POST", "/api/runs/11/resubmit", Reply(202, {"runId": 12}))
    result = maoctl("run", "retry", "11", "--follow")
    assert (result.exit, result.out) == (expected, f"{REPORT_TEXT}\n")
    assert result.err == "Run 12 is submitted in place of run 11.\n"


def test_resolve_sends_status_and_reason(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/runs/12/resolve", Reply(200, a_run("FAILED")))
    assert maoctl("run", "resolve", "12", "--status", "failed", "--reason", "cut").out == "Run 12 is FAILED now.\n"
    assert server.bodies("POST") == [{"status": "FAILED", "reason": "cut"}]


@pytest.mark.parametrize(
    "options", [("--status", "FAILED"), ("--reason", "x"), ("--status", "RUNNING", "--reason", "x")]
)
def test_resolve_needs_an_end_and_a_reason(maoctl: Run, server: StubServer, options: tuple[str, ...]) -> None:
    assert maoctl("run", "resolve", "12", *options).exit == Exit.USAGE
    assert server.requests == []


def test_refresh_shows_the_run(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/runs/12/refresh", Reply(202, a_run("RUNNING")))
    assert "it is RUNNING now" in maoctl("run", "refresh", "12").out
    assert maoctl("run", "refresh", "12", "-o", "json").json["status"] == "RUNNING"


def test_get_shows_the_attempts(maoctl: Run, server: StubServer) -> None:
    attempt = {"number": 1, "cause": "lost", "exitCode": 255, "message": "The engine was away."}
    server.on("GET", "/api/runs/12/attempts", Reply(values=a_page(attempt)))
    assert "The engine was away." in maoctl("run", "get", "12", "--attempts").out
    assert maoctl("run", "get", "12", "--attempts", "--events").exit == Exit.USAGE


def test_list_searches_where_a_search_is_asked_for(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/search/runs", Reply(values=a_page(a_run("FAILED", cause="oom"))))
    which = ("--tool", "spike", "--owner", "me", "--job", "nightly", "--submitter", "ci", "--text", "harvest of")
    states = ("--state", "failed", "--state", "IN_DOUBT", "--status", "aborted")
    made = ("--image", "sha256:1234567", "--output-commit", "abcdef0", "--input-commit", "1234567")
    more = ("--quarantine", "held", "--label", "team=a", "--until", "2026-11-22T00:00Z")
    assert "oom" in maoctl("run", "list", *which, *states, *made, *more, "--limit", "5").out
    assert server.bodies("POST") == [
        {
            **{"tool": "spike", "owner": "me", "jobId": "nightly", "submitter": "ci", "text": "harvest of"},
            **{"states": ["FAILED", "IN_DOUBT", "ABORTED"], "imageDigest": "sha256:1234567"},
            **{"inputCommit": "1234567", "outputCommit": "abcdef0", "quarantineState": "held"},
            **{"labels": {"team": "a"}, "definedTo": "2026-11-22T00:00:00+00:00", "limit": 5},
        }
    ]


def test_since_a_length_of_time_is_counted_back_from_now(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/search/runs", Reply(values=a_page()))
    before = now()
    maoctl("run", "list", "--since", "7d")
    begin = datetime.fromisoformat(server.bodies("POST")[0]["definedFrom"])
    assert before - timedelta(days=7) <= begin <= now() - timedelta(days=7)
    assert maoctl("run", "list", "--since", "last week").exit == Exit.USAGE


def test_a_search_goes_on_page_after_page(maoctl: Run, server: StubServer) -> None:
    pages = [a_page(a_run("FAILED"), following="n1"), a_page(a_run("FAILED"), following="n2"), a_page(a_run("FAILED"))]
    server.on("POST", "/api/search/runs", *(Reply(values=page) for page in pages))
    assert len(json.loads(maoctl("run", "list", "--text", "x", "--limit", "600", "-o", "json").out)) == 3
    assert [body.get("cursor") for body in server.bodies("POST")] == [None, "n1", "n2"]
    assert [body["limit"] for body in server.bodies("POST")] == [500, 500, 500]
