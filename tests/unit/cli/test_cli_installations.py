"""``maoctl tool install|update|installed|uninstall|help``, ``tool run --command`` and ``tool add --git``."""

from __future__ import annotations

from typing import Any

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import JOB, TOOL, a_page, a_run

PATH = "/api/tools/visitors/installation"
WORKING = Reply(202, {"code": 202, "message": "The agent is at work."}, headers={"Retry-After": "1"})
HELP: dict[str, Any] = {
    "name": "visitors",
    "description": "Counts visitors.",
    "commit": "1f",
    "commands": [
        {
            "name": "count",
            "description": "Counts a year.",
            "usage": "count YEAR",
            "arguments": [{"name": "year", "description": "Which one."}],
        }
    ],
}


def row(state: str = "READY", **changes: Any) -> dict[str, Any]:
    return {"name": "visitors", "state": state, "isUsable": True, "commit": "1f", "message": "", "log": "", **changes}


def test_install_asks_and_does_not_wait(maoctl: Run, server: StubServer) -> None:
    server.on("POST", PATH, Reply(202, row("REQUESTED")))
    result = maoctl("tool", "install", "visitors", "--branch", "main")
    expected = "The installation of 'visitors' is requested; `maoctl tool installed visitors` shows it.\n"
    assert (result.exit, result.out) == (Exit.DONE, expected)
    assert server.bodies("POST") == [{"branch": "main"}]


def test_install_with_wait_shows_each_line_of_the_installer_once(maoctl: Run, server: StubServer) -> None:
    server.on("POST", PATH, Reply(202, row("REQUESTED")))
    looks = (row("INSTALLING", log="one\n"), row("INSTALLING", log="one\ntwo\nth"), row(log="one\ntwo\nthree\n"))
    server.on("GET", PATH, *(Reply(values=look) for look in looks))
    result = maoctl("tool", "install", "visitors", "--wait")
    assert (result.exit, result.out) == (Exit.DONE, "Tool 'visitors' is installed at commit 1f.\n")
    assert result.err == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (row("FAILED", isUsable=False, message="No mao.yml."), "Tool 'visitors' is not installed: No mao.yml.\n"),
        (row(message="Exit code 3."), "Exit code 3. What was installed before can still be used.\n"),
    ],
)
def test_an_installation_that_failed_is_told_by_the_exit_status(
    maoctl: Run, server: StubServer, end: dict[str, Any], said: str
) -> None:
    server.on("POST", PATH, Reply(202, row("REQUESTED")))
    server.on("GET", PATH, Reply(values=end))
    result = maoctl("tool", "install", "visitors", "--wait")
    assert result.exit == Exit.RUN_FAILED
    assert result.err.endswith(said)


def test_waiting_for_an_installation_ends_when_the_users_time_is_over(maoctl: Run, server: StubServer) -> None:
    server.on("POST", PATH, Reply(202, row("REQUESTED")))
    server.on("GET", PATH, Reply(values=row("INSTALLING")))
    result = maoctl("tool", "install", "visitors", "--wait", "--timeout", "0s")
    assert result.exit == Exit.TIMED_OUT


def test_a_dry_run_is_asked_for_until_the_agent_has_answered(maoctl: Run, server: StubServer) -> None:
    server.on("POST", PATH, WORKING, Reply(200, {"name": "visitors", "steps": ["Fetch it.", "Run it."]}))
    result = maoctl("tool", "install", "visitors", "--dry-run")
    assert (result.exit, result.out) == (Exit.DONE, "Installing 'visitors' would do this: Fetch it. Run it.\n")
    assert result.err == "The server is reading the code of 'visitors' ...\n"
    assert server.bodies("POST") == [{"dryRun": True}] * 2


def test_update_is_for_what_is_installed(maoctl: Run, server: StubServer) -> None:
    server.on("GET", PATH, Reply(404, {"message": "The tool 'visitors' is not installed on this node."}))
    assert maoctl("tool", "update", "visitors").exit == Exit.REFUSED
    server.on("GET", PATH, Reply(values=row()))
    server.on("POST", PATH, Reply(202, row("REQUESTED")))
    assert maoctl("tool", "update", "visitors").exit == Exit.DONE


def test_installed_lists_the_tools_and_shows_one(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/installations", Reply(values=a_page(row())))
    assert maoctl("tool", "installed").out.splitlines()[1].split()[:3] == ["visitors", "READY", "yes"]
    server.on("GET", PATH, Reply(values=row(definition={"name": "visitors"})))
    assert "definition" not in maoctl("tool", "installed", "visitors").out
    assert maoctl("tool", "installed", "visitors", "-o", "json").json["definition"] == {"name": "visitors"}


def test_uninstall_waits_until_nothing_is_left(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", PATH, Reply(202, row("REMOVING")))
    server.on("GET", PATH, Reply(values=row("REMOVING")), Reply(404, {"message": "It is not installed."}))
    server.on("GET", "/api/jobs", Reply(values=a_page(JOB, {**JOB, "id": "often", "tool": "visitors"})))
    result = maoctl("tool", "uninstall", "visitors")
    assert result.out == "Tool 'visitors' is uninstalled.\n"
    assert result.err == "Tool 'visitors' is still run by: often. End them with `maoctl job remove JOB`.\n"


def test_help_shows_how_each_command_is_called(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools/visitors/help", Reply(values=HELP))
    assert maoctl("tool", "help", "visitors").out.splitlines() == [
        "visitors: Counts visitors.",
        "",
        "  count YEAR",
        "      Counts a year.",
        "      year: Which one.",
        "",
        "Run one with: maoctl tool run visitors --command count -- YEAR",
    ]


def test_the_words_behind_a_command_are_its_arguments(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools/visitors/runs", Reply(202, {"runId": 3}))
    assert maoctl("tool", "run", "visitors", "--detach", "--command", "count", "--", "2026", "-v").exit == Exit.DONE
    server.on("POST", "/api/jobs", Reply(201, JOB))
    assert maoctl("tool", "schedule", "visitors", "daily", "--command", "count", "--", "2026").exit == Exit.DONE
    run, job = server.bodies("POST")
    assert run == {"commandName": "count", "arguments": ["2026", "-v"]}
    assert job["parameters"] == {"commandName": "count", "arguments": ["2026"]}


def test_words_without_a_command_are_arguments_where_the_tool_is_an_installed_definition_tool(
    maoctl: Run, server: StubServer
) -> None:
    server.on("GET", "/api/tools/visitors/help", Reply(values=HELP))
    server.on("POST", "/api/tools/visitors/runs", Reply(202, {"runId": 3}))
    server.on("POST", "/api/jobs", Reply(201, JOB))
    assert maoctl("tool", "run", "visitors", "--detach", "--", "2026").exit == Exit.DONE
    assert maoctl("tool", "schedule", "visitors", "daily", "--", "2026").exit == Exit.DONE
    run, job = server.bodies("POST")
    assert (run, job["parameters"]) == ({"arguments": ["2026"]}, {"arguments": ["2026"]})


def test_a_command_of_one_sort_takes_the_place_of_one_of_the_other(maoctl: Run, server: StubServer) -> None:
    old = {"commandName": "count", "arguments": ["2026"], "publish": "none"}
    server.on("GET", "/api/jobs/visitors", Reply(values={**JOB, "parameters": old}))
    server.on("PATCH", "/api/jobs/visitors", Reply(values=JOB))
    maoctl("job", "edit", "visitors", "--", "echo")
    maoctl("job", "edit", "visitors", "--command", "show")
    sent = [body["parameters"] for body in server.bodies("PATCH")]
    assert sent == [{"publish": "none", "command": ["echo"]}, {"publish": "none", "commandName": "show"}]


def test_add_by_git_address_fills_the_entry_from_the_definition(maoctl: Run, server: StubServer) -> None:
    url = "https://git.test/visitors.git"
    known = {"name": "visitors", "description": "Counts.", "remote": "https://git.test/data.git"}
    server.on("GET", "/api/definitions", WORKING, Reply(values={"url": url, "commit": "1f", "definition": known}))
    server.on("POST", "/api/tools", Reply(201, TOOL))
    result = maoctl("tool", "add", "--git", url, "--author", "Ada", "--hub", "web")
    assert (result.exit, result.out) == (Exit.DONE, "Tool 'visitors' is registered.\n")
    assert result.err.splitlines()[1:] == ["To use its code: maoctl tool install visitors"]
    expected = {"name": "visitors", "author": "Ada", "image": "", "data_repo": "https://git.test/data.git"}
    expected |= {"code_repo": url, "artefact": "", "description": "Counts.", "hub": "web"}
    assert server.bodies("POST") == [expected]


def test_a_look_at_a_git_address_that_fails_is_told_at_once(maoctl: Run, server: StubServer) -> None:
    refusal = Reply(502, {"message": "The git server cannot be found.", "hint": "Check the host's name."})
    server.on("GET", "/api/definitions", WORKING, WORKING, refusal)
    url = "https://git.nosuch.test/visitors.git"
    result = maoctl("tool", "add", "--git", url)
    expected = [
        f"The server is reading {url} ...",
        "maoctl: The git server cannot be found.",
        "hint: Check the host's name.",
    ]
    assert (result.exit, result.err.splitlines()) == (Exit.SERVER_FAILED, expected)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("spike", "--git", "https://git.test/x.git"), "With --git the repository's definition names the tool"),
        (("--author", "Ada"), "belong to --git"),
        (("spike", "me", "image", "", ""), "Missing argument 'ARTEFACT'"),
        ((), "Missing argument 'NAME'"),
    ],
)
def test_add_takes_the_arguments_or_the_address(
    maoctl: Run, server: StubServer, words: tuple[str, ...], said: str
) -> None:
    result = maoctl("tool", "add", *words)
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert said in result.err


def test_a_run_that_names_no_command_is_told_which_there_are(maoctl: Run, server: StubServer) -> None:
    refusal = {"message": "Several commands.", "errors": {"json": {"commandName": ["It has: count, show."]}}}
    server.on("POST", "/api/tools/visitors/runs", Reply(422, refusal))
    server.on("GET", "/api/runs/1", Reply(values=a_run("RUNNING")))
    result = maoctl("tool", "run", "visitors")
    assert result.exit == Exit.REFUSED
    assert "It has: count, show." in result.err
