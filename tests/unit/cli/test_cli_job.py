"""``maoctl job`` and ``maoctl notification``."""

from __future__ import annotations

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
