"""``maoctl job`` and ``maoctl notification``."""

from __future__ import annotations

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import JOB, a_page


def test_get_lists_the_jobs_without_the_servers_own(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/jobs", Reply(values=a_page(JOB)))
    assert "2026-11-23 00:00 UTC" in maoctl("job", "get").out
    maoctl("job", "get", "--internal")
    assert server.paths() == ["GET /api/jobs?limit=100", "GET /api/jobs?internal=true&limit=100"]


def test_get_shows_one_job(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/jobs/spike", Reply(values=JOB))
    assert maoctl("job", "get", "spike", "-o", "json").json == JOB


def test_pause_sends_the_reason(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs/spike/pause", Reply(values=JOB))
    assert maoctl("job", "pause", "spike", "--reason", "repair").out == "Job 'spike' is paused.\n"
    assert server.bodies("POST") == [{"reason": "repair"}]


def test_a_pause_may_have_an_end(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs/spike/pause", Reply(values={**JOB, "pausedUntil": "2026-12-01T00:00:00+00:00"}))
    result = maoctl("job", "pause", "spike", "--until", "2026-12-01T01:00+01:00")
    assert result.out == "Job 'spike' is paused until 2026-12-01 00:00 UTC.\n"
    assert server.bodies("POST") == [{"reason": "", "until": "2026-12-01T01:00:00+01:00"}]
    assert maoctl("job", "pause", "spike", "--until", "soon").exit == Exit.USAGE


def test_edit_sends_only_what_is_given(maoctl: Run, server: StubServer) -> None:
    server.on("PATCH", "/api/jobs/spike", Reply(values=JOB))
    result = maoctl("job", "edit", "spike", "--zone", "Asia/Kathmandu", "--jitter", "10m", "--description", "")
    assert result.out == "Job 'spike' is changed; its next run is due at 2026-11-23 00:00 UTC.\n"
    maoctl("job", "edit", "spike", "--schedule", "2027-01-01T00:00Z", "--tool", "other", "--jitter", "0")
    maoctl("job", "edit", "spike", "--schedule", "weekly", "--at", "03:00", "--catch-up", "5")
    assert server.bodies("PATCH") == [
        {"zone": "Asia/Kathmandu", "jitterSeconds": 600, "description": ""},
        {"at": "2027-01-01T00:00Z", "tool": "other", "jitterSeconds": 0},
        {"schedule": "weekly", "timeOfDay": "03:00", "catchUpLimit": 5},
    ]


def test_edit_keeps_the_parameters_that_are_not_given(maoctl: Run, server: StubServer) -> None:
    stored = {"env": {"A": "1"}, "timeoutSeconds": 60, "command": ["crawl"]}
    server.on("GET", "/api/jobs/spike", Reply(values={**JOB, "parameters": stored}))
    server.on("PATCH", "/api/jobs/spike", Reply(values=JOB))
    maoctl("job", "edit", "spike", "--run-timeout", "1h", "--", "crawl", "--full")
    expected = {"env": {"A": "1"}, "timeoutSeconds": 3600, "command": ["crawl", "--full"]}
    assert server.bodies("PATCH") == [{"parameters": expected}]


def test_edit_without_a_change_is_wrong_use(maoctl: Run, server: StubServer) -> None:
    result = maoctl("job", "edit", "spike")
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert "Nothing to change" in result.err


COMING = {
    "dueTime": "2024-02-29T12:00:00+00:00",
    "localTime": "2024-02-29T17:45:00+05:45",
    "fireTime": "2024-02-29T12:00:07+00:00",
    "isPaused": False,
}


def test_preview_shows_the_clock_of_the_zone(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/jobs/spike/preview", Reply(values={"items": [COMING]}))
    result = maoctl("job", "preview", "spike", "--count", "3")
    assert result.out.splitlines()[1].split("  ") == [
        "2024-02-29 12:00 UTC",
        "Thu 2024-02-29 17:45 (+05:45)",
        "2024-02-29 12:00:07 UTC",
        "no",
    ]
    assert server.paths() == ["GET /api/jobs/spike/preview?count=3"]
    assert maoctl("job", "preview", "spike", "-o", "ndjson").json == COMING


def test_preview_tries_a_schedule_that_is_not_stored(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs/preview", Reply(values={"items": []}))
    assert maoctl("job", "preview", "--schedule", "daily", "--at", "02:30", "--zone", "UTC").exit == Exit.DONE
    assert server.bodies("POST") == [{"schedule": "daily", "timeOfDay": "02:30", "zone": "UTC"}]
    assert server.paths() == ["POST /api/jobs/preview?count=10"]


@pytest.mark.parametrize("words", [(), ("spike", "--schedule", "daily"), ("spike", "--zone", "UTC")])
def test_preview_is_of_a_job_or_of_a_schedule(maoctl: Run, server: StubServer, words: tuple[str, ...]) -> None:
    assert (maoctl("job", "preview", *words).exit, server.requests) == (Exit.USAGE, [])


def test_why_prints_the_answer(maoctl: Run, server: StubServer) -> None:
    answer = {"jobId": "spike", "outcome": "fired", "answer": "It was due and fired: run 12 is FAILED."}
    server.on("GET", "/api/jobs/spike/why", Reply(values=answer))
    assert maoctl("job", "why", "spike", "--at", "2026-11-22T02:30").out == f"{answer['answer']}\n"
    assert maoctl("job", "why", "spike", "--at", "2026-11-22T02:30+01:00", "-o", "json").json == answer
    assert server.paths() == [
        "GET /api/jobs/spike/why?at=2026-11-22T02%3A30",
        "GET /api/jobs/spike/why?at=2026-11-22T02%3A30%2B01%3A00",
    ]


def test_resume_shows_the_next_run(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs/spike/resume", Reply(values=JOB))
    expected = "Job 'spike' is resumed; its next run is due at 2026-11-23 00:00 UTC.\n"
    assert maoctl("job", "resume", "spike").out == expected


def test_resume_of_a_job_whose_time_is_over_says_so(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs/spike/resume", Reply(values={**JOB, "nextRunTime": None}))
    assert maoctl("job", "resume", "spike").out == "Job 'spike' is resumed; no further run is due.\n"


def test_remove_of_an_unknown_job_is_refused(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/jobs/spke", Reply(404, {"message": "No job.", "hint": "Did you mean 'spike'?"}))
    result = maoctl("job", "remove", "spke")
    assert result.exit == Exit.REFUSED
    assert "Did you mean 'spike'?" in result.err


def test_remove_says_so(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/jobs/spike", Reply(204))
    assert maoctl("job", "remove", "spike").out == "Job 'spike' is removed.\n"


def test_firings_say_what_became_of_each_instant(maoctl: Run, server: StubServer) -> None:
    firing = {"dueTime": "2026-11-22T03:00:00Z", "outcome": "skipped", "reason": "run 11 was not over", "runId": None}
    server.on("GET", "/api/jobs/spike/firings", Reply(values=a_page(firing)))
    assert "run 11 was not over" in maoctl("job", "firings", "spike").out


def test_notifications_are_listed(maoctl: Run, server: StubServer) -> None:
    news = {"id": "01J", "node": "node-a", "kind": "spike", "tool": "spike", "runId": 12, "summary": "=Gain 40%"}
    server.on("GET", "/api/notifications", Reply(values=a_page(news)))
    assert "=Gain 40%" in maoctl("notification", "get").out
    assert maoctl("notification", "get", "-o", "csv").out.endswith(",'=Gain 40%\n")


def test_deliveries_are_listed_by_state(maoctl: Run, server: StubServer) -> None:
    lost = {"id": "01J", "channel": "webhook", "target": "h#1f", "state": "given_up", "message": "h answered 500."}
    server.on("GET", "/api/notifications/deliveries", Reply(values=a_page(lost)))
    assert "h answered 500." in maoctl("notification", "deliveries", "--state", "given_up", "-o", "csv").out
    assert "state=given_up" in server.paths()[-1]
    assert maoctl("notification", "deliveries", "--state", "lost").exit == Exit.USAGE


def test_a_test_notification_names_its_id_and_where_to_look(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/notifications/test", Reply(202, {"id": "01J"}))
    assert "01J is on its way; `maoctl notification deliveries`" in maoctl("notification", "test").out
    assert maoctl("notification", "test", "-o", "json").json == {"id": "01J"}
