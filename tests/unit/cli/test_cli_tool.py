"""``maoctl tool``: the registry and the schedules."""

from __future__ import annotations

from typing import Any

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import JOB, TOOL, a_page, a_run

POSITIONAL = ("spike", "panos", "panosece/spike:latest", "spike", "https://git.test/code.git", "out.csv")


def test_get_lists_the_tools(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(values=a_page(TOOL)))
    rows = maoctl("tool", "get").out.splitlines()
    assert rows[0].split("  ")[0] == "NAME"
    assert "panosece/spike:latest" in rows[1]


def test_get_shows_one_entry(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools/spike", Reply(values=TOOL, headers={"ETag": '"7"'}))
    assert maoctl("tool", "get", "spike", "-o", "json").json == TOOL


def test_get_of_an_unknown_tool_shows_the_nearest(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools/spke", Reply(404, {"message": "No tool 'spke'.", "hint": "Did you mean 'spike'?"}))
    result = maoctl("tool", "get", "spke")
    assert result.exit == Exit.REFUSED
    assert result.err == "maoctl: No tool 'spke'.\nhint: Did you mean 'spike'?\n"


def test_add_sends_only_what_was_given(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools", Reply(201, TOOL))
    result = maoctl("tool", "add", *POSITIONAL)
    assert (result.exit, result.out) == (Exit.DONE, "Tool 'spike' is registered.\n")
    keys = ("name", "author", "image", "data_repo", "code_repo", "artefact")
    assert server.bodies("POST") == [dict(zip(keys, POSITIONAL, strict=True))]


def test_add_sends_every_option(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools", Reply(201, TOOL))
    limits = ("--memory-mb", "512", "--cpus", "0.5", "--pids", "64", "--timeout-seconds", "600")
    words = ("--description", "d", "--hub", "h", "--network", "none", "--user", "1000:1000", "--publish", "none")
    pairs = ("--env", "A=1", "--env", "B=x=y", "--label", "k=v", "--metrics", '{"method": "mad"}', "--on-spike", "fail")
    result = maoctl("tool", "add", *POSITIONAL, *limits, *words, *pairs, "--", "python", "x.py", "--all")
    assert result.exit == Exit.DONE
    assert (
        server.bodies("POST")[0].items()
        >= {
            "memory_mb": 512,
            "cpus": 0.5,
            "pids": 64,
            "timeout_seconds": 600,
            "description": "d",
            "hub": "h",
            "network": "none",
            "user": "1000:1000",
            "publish": "none",
            "env": {"A": "1", "B": "x=y"},
            "labels": {"k": "v"},
            "metrics": {"method": "mad"},
            "on_spike": "fail",
            "command": ["python", "x.py", "--all"],
        }.items()
    )


def test_add_keeps_an_empty_positional_argument(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools", Reply(201, TOOL))
    maoctl("tool", "add", "spike", "me", "image", "", "", "")
    assert server.bodies("POST")[0]["data_repo"] == ""


def test_add_with_replace_sends_the_revision_that_it_read(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools/spike", Reply(values=TOOL, headers={"ETag": '"7"'}))
    server.on("PUT", "/api/tools/spike", Reply(values=TOOL))
    result = maoctl("tool", "add", *POSITIONAL, "--replace")
    assert (result.exit, result.out) == (Exit.DONE, "Tool 'spike' is replaced.\n")
    assert server.requests[1].headers["If-Match"] == '"7"'
    assert server.bodies("PUT")[0]["image"] == "panosece/spike:latest"


def test_add_of_a_name_that_is_taken_says_how_to_replace_the_entry(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools", Reply(409, {"message": "There is a tool 'spike' already.", "hint": "Revision."}))
    result = maoctl("tool", "add", *POSITIONAL)
    cure = "hint: Choose another name, or replace the entry that has it with --replace."
    assert (result.exit, result.err.splitlines()) == (
        Exit.REFUSED,
        ["maoctl: There is a tool 'spike' already.", cure],
    )


@pytest.mark.parametrize(
    "wrong",
    [
        ("--env", "novalue"),
        ("--env", "=x"),
        ("--metrics", "{"),
        ("--metrics", "[1]"),
        ("--publish", "publish"),
        ("--memory-mb", "0"),
        ("--cpus", "0"),
    ],
)
def test_add_refuses_a_wrong_option_without_asking_the_server(
    maoctl: Run, server: StubServer, wrong: tuple[str, str]
) -> None:
    result = maoctl("tool", "add", *POSITIONAL, *wrong)
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert result.err.startswith("maoctl: ")


def test_remove_says_so(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/tools/spike", Reply(204))
    assert maoctl("tool", "remove", "spike").out == "Tool 'spike' is removed.\n"
    assert maoctl("tool", "remove", "spike", "-o", "json").json == {"name": "spike", "isRemoved": True}


@pytest.mark.parametrize(("status", "word"), [(201, "new"), (200, "changed")])
def test_schedule_says_whether_the_job_is_new(maoctl: Run, server: StubServer, status: int, word: str) -> None:
    server.on("POST", "/api/jobs", Reply(status, JOB))
    result = maoctl("tool", "schedule", "spike", "daily")
    assert result.out == f"Job 'spike' is {word}; its next run is due at 2026-11-23 00:00 UTC.\n"
    assert server.bodies("POST") == [{"tool": "spike", "schedule": "daily"}]


def test_schedule_sends_every_option(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/jobs", Reply(201, JOB))
    server.on("GET", "/api/tools/spike/help", Reply(404, {"message": "It is not installed."}))
    times = ("--at", "03:30", "--zone", "Europe/Zurich", "--misfire", "all", "--max-age", "6h", "--overlap", "queue")
    times += ("--jitter", "5m", "--catch-up", "9", "--retries", "3", "--tool-retries", "0")
    more = ("--id", "spike-weekly", "--env", "A=1", "--publish", "none", "--run-timeout", "15m", "--description", "d")
    assert maoctl("tool", "schedule", "spike", "weekly", *times, *more, "--", "crawl", "-v").exit == Exit.DONE
    assert server.bodies("POST") == [
        {
            "tool": "spike",
            "schedule": "weekly",
            "timeOfDay": "03:30",
            "zone": "Europe/Zurich",
            "misfire": "all",
            "maxAgeSeconds": 21600,
            "jitterSeconds": 300,
            "catchUpLimit": 9,
            "overlap": "queue",
            "id": "spike-weekly",
            "description": "d",
            "parameters": {
                "command": ["crawl", "-v"],
                "env": {"A": "1"},
                "publish": "none",
                "timeoutSeconds": 900,
                "infrastructureRetries": 3,
                "toolRetries": 0,
            },
        }
    ]


@pytest.mark.parametrize(
    ("when", "trigger"),
    [
        ("*/15 * * * *", {"schedule": "*/15 * * * *"}),
        ("monthly", {"schedule": "monthly"}),
        ("2027-01-01T00:00Z", {"at": "2027-01-01T00:00Z"}),
    ],
)
def test_schedule_takes_words_crontab_text_and_instants(
    maoctl: Run, server: StubServer, when: str, trigger: dict[str, Any]
) -> None:
    server.on("POST", "/api/jobs", Reply(201, JOB))
    maoctl("tool", "schedule", "spike", when)
    assert server.bodies("POST") == [{"tool": "spike", **trigger}]


@pytest.mark.parametrize("when", [("hourly",), ("0", "3", "*", "*", "*"), ("2027-01-01",)])
def test_schedule_explains_what_a_schedule_is(maoctl: Run, server: StubServer, when: tuple[str, ...]) -> None:
    result = maoctl("tool", "schedule", "spike", *when)
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert "quoted" in result.err


def test_schedule_refuses_what_is_no_length_of_time(maoctl: Run) -> None:
    result = maoctl("tool", "schedule", "spike", "daily", "--max-age", "soon")
    assert result.exit == Exit.USAGE
    assert "--max-age" in result.err


def test_stop_removes_the_job_and_shows_the_run_that_goes_on(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/jobs/spike", Reply(204))
    server.on("GET", "/api/runs", Reply(values=a_page(a_run("RUNNING"), a_run("SUCCEEDED", id=11))))
    server.on("GET", "/api/jobs", Reply(values=a_page(JOB, {**JOB, "id": "spike-often"})))
    result = maoctl("tool", "stop", "spike")
    expected = "Job 'spike' is removed. Run 12 goes on (RUNNING); stop it with `maoctl run stop 12`.\n"
    assert (result.exit, result.out) == (Exit.DONE, expected)
    assert "spike-often" in result.err


def test_stop_with_nothing_going_on_says_only_that(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/jobs/spike", Reply(204))
    server.on("GET", "/api/runs", Reply(values=a_page(a_run("FAILED"))))
    server.on("GET", "/api/jobs", Reply(values=a_page()))
    assert maoctl("tool", "stop", "spike", "-o", "json").json == {
        "job": "spike",
        "isRemoved": True,
        "unfinishedRuns": [],
    }
    assert maoctl("tool", "stop", "spike").out == "Job 'spike' is removed.\n"


def test_stop_of_an_unscheduled_tool_shows_how_to_stop_its_run(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/jobs/spike", Reply(404, {"message": "No job 'spike'."}))
    server.on("GET", "/api/runs", Reply(values=a_page(a_run("RUNNING"))))
    result = maoctl("tool", "stop", "spike")
    assert result.exit == Exit.REFUSED
    assert "maoctl run stop 12" in result.err


def test_list_scheduled_shows_the_servers_own_jobs_too(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/jobs", Reply(values=a_page(JOB, {**JOB, "id": "mao.reconciler", "tool": ""})))
    result = maoctl("tool", "list-scheduled")
    assert "internal=true" in server.paths()[0]
    assert "mao.reconciler" in result.out
    assert "2026-11-23 00:00 UTC" in result.out
