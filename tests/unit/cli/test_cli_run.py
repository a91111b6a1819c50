"""``maoctl tool run`` and ``maoctl run``: waiting, output, reports."""

from __future__ import annotations

import pytest
import requests

import cli.waiting
from cli.errors import Unreached
from cli.exits import Exit
from cli.output_pieces import Cut, OutputPiece
from cli.waiting import Watch
from tests.unit.cli.conftest import Reply, Run, StubServer, Terminal
from tests.unit.cli.samples import REPORT_TEXT, a_page, a_report, a_run, prepare_output, prepare_run

HOSTILE = b"\x1b]0;owned\x07one\x1b[2J\r\n\xff\x00two\n"


def test_run_prints_the_report_exactly_and_nothing_else(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    result = maoctl("tool", "run", "spike")
    assert (result.exit, result.out) == (Exit.DONE, f"{REPORT_TEXT}\n")
    assert result.err == "Run 12 of tool 'spike' is submitted.\n"


def test_the_first_question_is_answered_at_once_and_the_next_ones_are_held(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    maoctl("tool", "run", "spike")
    questions = [path for path in server.paths() if "/wait" in path]
    assert questions == ["GET /api/runs/12/wait?timeout=0", "GET /api/runs/12/wait?timeout=25"]
    assert server.timeouts[2] == (5.0, 55.0)


def test_run_sends_command_and_options(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    server.on("GET", "/api/tools/spike/help", Reply(404, {"message": "It is not installed."}))
    options = ("--env", "A=1", "--publish", "none", "--run-timeout", "2h", "--description", "trial")
    maoctl("tool", "run", "spike", *options, "--", "python", "--version")
    assert server.bodies("POST") == [
        {
            "command": ["python", "--version"],
            "env": {"A": "1"},
            "publish": "none",
            "timeoutSeconds": 7200,
            "description": "trial",
        }
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("SUCCEEDED", Exit.DONE),
        ("FAILED", Exit.RUN_FAILED),
        ("ABORTED", Exit.RUN_FAILED),
        ("IN_DOUBT", Exit.IN_DOUBT),
    ],
)
@pytest.mark.parametrize("command", [("tool", "run", "spike"), ("run", "wait", "12")])
def test_the_exit_status_is_that_of_the_run(
    maoctl: Run, server: StubServer, command: tuple[str, ...], status: str, expected: Exit
) -> None:
    prepare_run(server, status, verdict=None)
    result = maoctl(*command)
    assert (result.exit, result.out) == (expected, f"{REPORT_TEXT}\n")


def test_a_spike_fails_only_where_asked_for(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED", verdict="spike")
    assert maoctl("tool", "run", "spike").exit == Exit.DONE
    assert maoctl("tool", "run", "spike", "--fail-on-spike").exit == Exit.SPIKE


def test_detach_prints_the_id_alone(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    result = maoctl("tool", "run", "spike", "--detach")
    assert (result.exit, result.out, result.err) == (Exit.DONE, "12\n", "")
    assert maoctl("tool", "run", "spike", "--detach", "-o", "json").json == {"runId": 12}


def test_the_report_can_be_had_as_json(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    assert maoctl("tool", "run", "spike", "-o", "json").json == a_report()


def test_waiting_too_long_says_how_to_go_on(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    server.on("GET", "/api/runs/12/wait", Reply(values=a_run("RUNNING")))
    result = maoctl("tool", "run", "spike", "--timeout", "0")
    assert (result.exit, result.out) == (Exit.TIMED_OUT, "")
    assert "Run 12 is still RUNNING after 0 s; it goes on." in result.err
    assert "maoctl run wait 12" in result.err


def test_ctrl_c_says_that_the_run_goes_on(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    server.on("GET", "/api/runs/12/wait", KeyboardInterrupt())
    result = maoctl("tool", "run", "spike")
    assert (result.exit, result.out) == (Exit.INTERRUPTED, "")
    assert "Run 12 goes on" in result.err
    assert "maoctl run stop 12" in result.err


def test_a_server_that_restarts_does_not_end_the_waiting(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    server.on(
        "GET",
        "/api/runs/12/wait",
        Reply(values=a_run("RUNNING")),
        requests.ConnectTimeout("away"),
        Reply(503, {"message": "postgres is down."}),
        Reply(values=a_run("SUCCEEDED")),
    )
    assert maoctl("tool", "run", "spike").exit == Exit.DONE


def test_a_server_that_stays_away_ends_it(maoctl: Run, server: StubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.waiting, "OUTAGE_SECONDS", 0)
    prepare_run(server, "SUCCEEDED")
    server.on("GET", "/api/runs/12/wait", requests.ConnectTimeout("away"))
    result = maoctl("tool", "run", "spike")
    assert result.exit == Exit.UNREACHED
    assert "maoctl run wait 12" in result.err


def test_patience_ends_after_its_time() -> None:
    ticks = iter(range(0, 1000, 10))
    pauses: list[float] = []
    watch = Watch(None, clock=lambda: float(next(ticks)), sleep=pauses.append)
    messages: list[str] = []

    def ask() -> None:
        raise Unreached("Nobody answers.")

    with pytest.raises(Unreached):
        watch.ask(ask, messages.append)
    assert messages == ["Nobody answers. Trying again."] * 5
    assert len(pauses) == 5


def test_a_pause_does_not_outlast_the_users_time() -> None:
    pauses: list[float] = []
    watch = Watch(10, clock=iter([0.0, 9.9, 9.9]).__next__, sleep=pauses.append)
    assert watch.left(25) == 1
    watch.pause()
    assert pauses == [0.0]


def test_a_missing_report_does_not_hide_how_the_run_ended(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "FAILED")
    server.on("GET", "/api/runs/12/report", Reply(404, {"message": "There is no report."}))
    result = maoctl("tool", "run", "spike")
    assert (result.exit, result.out) == (Exit.RUN_FAILED, "")
    assert "There is no report." in result.err


def test_without_a_terminal_the_output_is_not_even_asked_for(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    maoctl("tool", "run", "spike")
    assert not [path for path in server.paths() if "output" in path]


def test_live_output_goes_to_stderr_and_the_report_to_stdout(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    prepare_output(server, b"fetching 1\nfetch", b"ing 2\nno newline at the end")
    result = maoctl("tool", "run", "spike", "--live")
    assert result.out == f"{REPORT_TEXT}\n"
    lines = ["Run 12 of tool 'spike' is submitted.", "fetching 1", "fetching 2", "no newline at the end"]
    assert result.err.splitlines() == lines


def test_a_terminal_shows_live_output_without_control_characters(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED", text="Report:\n  \x1b[2Jlast line")
    prepare_output(server, HOSTILE)
    shown = Terminal()
    result = maoctl("tool", "run", "spike", out=Terminal(), err=shown)
    assert result.out == "Report:\n  last line\n"
    assert "one\n" in shown.getvalue()
    assert "\ufffdtwo" in shown.getvalue()
    assert "owned" not in shown.getvalue()
    assert "\x1b[2J" not in shown.getvalue()


def test_a_report_in_a_file_keeps_every_byte(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED", text="Report:\n  \x1b[2Jlast line\n")
    assert maoctl("tool", "run", "spike").raw == b"Report:\n  \x1b[2Jlast line\n"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(404, {"message": "No tool 'spike'."}), Exit.REFUSED),
        (Reply(500, {"message": "Oops."}), Exit.SERVER_FAILED),
        (Reply(202, {"id": 12}), Exit.SERVER_FAILED),
        (Reply(202, body=b"accepted"), Exit.SERVER_FAILED),
    ],
)
def test_a_submission_that_fails_waits_for_nothing(
    maoctl: Run, server: StubServer, reply: Reply, expected: Exit
) -> None:
    server.on("POST", "/api/tools/spike/runs", reply)
    assert maoctl("tool", "run", "spike").exit == expected
    assert len(server.requests) == 1


def test_waiting_for_an_unknown_run_is_refused_at_once(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12", Reply(404, {"message": "No run 12."}))
    assert maoctl("run", "wait", "12").exit == Exit.REFUSED
    assert len(server.requests) == 1


def test_list_sends_the_filters_that_were_given(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs", Reply(values=a_page(a_run("FAILED", cause="oom"))))
    result = maoctl("run", "list", "--tool", "spike", "--status", "failed", "--limit", "5")
    assert server.paths() == ["GET /api/runs?tool=spike&status=FAILED&limit=5"]
    assert "oom" in result.out


def test_get_shows_a_run(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12", Reply(values=a_run("RUNNING", startTime="2026-11-22T03:00:00Z")))
    assert "2026-11-22 03:00 UTC" in maoctl("run", "get", "12").out
    assert maoctl("run", "get", "12", "-o", "json").json["startTime"] == "2026-11-22T03:00:00Z"


def test_the_verdict_on_a_run_is_in_words_for_people_and_whole_for_programs(maoctl: Run, server: StubServer) -> None:
    verdict = {
        "status": "drop",
        "sentence": "1086 is too low.",
        "low": -6.085392328e300,
        "metrics": {"rows": {"low": 0.0}},
    }
    server.on("GET", "/api/runs/12", Reply(200, a_run("SUCCEEDED", spike=verdict)))
    lines = maoctl("run", "get", "12").out.splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("spike")] == ["drop: 1086 is too low."]
    assert maoctl("run", "get", "12", "-o", "json").json["spike"] == verdict


def test_a_run_that_nobody_judged_has_no_line_for_it(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12", Reply(200, a_run("RUNNING", spike=None)))
    assert "spike:" not in maoctl("run", "get", "12").out


def test_get_shows_the_report_or_the_events(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12/report", Reply(values=a_report()))
    event = {"time": "2026-11-22T03:00:00Z", "fromStatus": None, "toStatus": "DEFINED", "actor": "root", "cause": None}
    server.on("GET", "/api/runs/12/events", Reply(values=a_page(event)))
    assert maoctl("run", "get", "12", "--report").out == f"{REPORT_TEXT}\n"
    assert "DEFINED" in maoctl("run", "get", "12", "--events").out
    assert server.paths()[-1] == "GET /api/runs/12/events"
    assert maoctl("run", "get", "12", "--report", "--events").exit == Exit.USAGE


def test_output_to_a_pipe_is_byte_exact(maoctl: Run, server: StubServer) -> None:
    prepare_output(server, HOSTILE[:9], HOSTILE[9:])
    assert maoctl("run", "output", "12").raw == HOSTILE
    assert server.paths()[1] == "GET /api/runs/12/output.txt?offset=9&limit=1048576"


def test_output_on_a_terminal_is_cleaned(maoctl: Run, server: StubServer) -> None:
    prepare_output(server, HOSTILE)
    assert maoctl("run", "output", "12", out=Terminal()).out == "one\n\ufffdtwo\n"


def test_output_can_be_had_as_json(maoctl: Run, server: StubServer) -> None:
    prepare_output(server, b"one\n", b"two\xff")
    assert maoctl("run", "output", "12", "-o", "json").json == {
        "runId": 12,
        "nextOffset": 8,
        "text": "one\ntwo\ufffd",
        "warnings": [],
    }


def test_the_tail_of_the_output_is_one_request(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12/output.txt", Reply(body=b"last\n", headers={"X-Next-Offset": "900"}))
    assert maoctl("run", "output", "12", "--tail", "1").raw == b"last\n"
    assert server.paths() == ["GET /api/runs/12/output.txt?tail=1&limit=1048576"]


def test_the_tail_can_be_followed_from_its_end(maoctl: Run, server: StubServer) -> None:
    prepare_run(server, "SUCCEEDED")
    server.on(
        "GET",
        "/api/runs/12/output.txt",
        Reply(body=b"last\n", headers={"X-Next-Offset": "900"}),
        Reply(headers={"X-Next-Offset": "900"}),
        Reply(body=b"more\n", headers={"X-Next-Offset": "905"}),
        Reply(headers={"X-Next-Offset": "905"}),
    )
    result = maoctl("run", "output", "12", "--tail", "1", "--follow")
    assert (result.exit, result.raw) == (Exit.DONE, b"last\nmore\n")
    assert "offset=900" in server.paths()[1]


def prepare_cut_output(server: StubServer) -> None:
    """Let run 12 have printed 100 bytes, of which 4 to 89 were not kept."""
    cut = {"X-Cut": "4-89"}
    server.on(
        "GET",
        "/api/runs/12/output.txt",
        Reply(body=b"headthe ", headers={"X-Next-Offset": "94", **cut}),
        Reply(body=b"end", headers={"X-Next-Offset": "97", **cut}),
        Reply(headers={"X-Next-Offset": "97", **cut}),
    )


def test_bytes_that_were_not_kept_are_told_on_stderr_and_stdout_has_the_others(maoctl: Run, server: StubServer) -> None:
    prepare_cut_output(server)
    result = maoctl("run", "output", "12")
    assert result.raw == b"headthe end"
    assert result.err == "maoctl: Output is missing here: 86 bytes from 4 on were not kept.\n"


def test_bytes_that_were_not_kept_are_told_in_json_too(maoctl: Run, server: StubServer) -> None:
    prepare_cut_output(server)
    told = maoctl("run", "output", "12", "-o", "json").json
    assert (told["text"], len(told["warnings"])) == ("headthe end", 1)


@pytest.mark.parametrize(
    ("first", "data", "following", "parts"),
    [
        (0, b"head", 90, [b"head", Cut(4, 89)]),
        (2, b"adthe", 93, [b"ad", Cut(4, 89), b"the"]),
        (4, b"the", 93, [Cut(4, 89), b"the"]),
        (50, b"the", 93, [Cut(4, 89), b"the"]),
        (90, b"the", 93, [b"the"]),
        (0, b"he", 2, [b"he"]),
        (95, b"", 95, []),
    ],
)
def test_a_cut_is_told_where_its_bytes_would_have_been(
    first: int, data: bytes, following: int, parts: list[object]
) -> None:
    assert list(OutputPiece(data, first, following, (Cut(4, 89),)).parts()) == parts


def test_what_nobody_counted_is_said_to_be_uncounted() -> None:
    assert "nobody counted it" in Cut(7, 7).sentence


def test_following_can_be_interrupted(maoctl: Run, server: StubServer) -> None:
    prepare_output(server, b"one\n")
    server.on("GET", "/api/runs/12/wait", KeyboardInterrupt())
    result = maoctl("run", "output", "12", "--follow")
    assert (result.exit, result.raw) == (Exit.INTERRUPTED, b"one\n")
    assert "Run 12 goes on" in result.err


def test_tail_and_offset_exclude_each_other(maoctl: Run, server: StubServer) -> None:
    assert maoctl("run", "output", "12", "--tail", "1", "--offset", "5").exit == Exit.USAGE
    assert server.requests == []


def test_stop_says_what_it_asked_for(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/runs/12", Reply(202, a_run("ABORTING")))
    assert maoctl("run", "stop", "12").out == "The end of run 12 is requested; it is ABORTING now.\n"
    maoctl("run", "stop", "12", "--force")
    assert server.paths() == ["DELETE /api/runs/12", "DELETE /api/runs/12?force=true"]


def test_stop_of_a_finished_run_is_refused(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/runs/12", Reply(409, {"message": "Run 12 is over."}))
    assert maoctl("run", "stop", "12").exit == Exit.REFUSED


@pytest.mark.parametrize("number", ["0", "-1", "twelve"])
def test_what_is_no_number_of_a_run_is_wrong_use(maoctl: Run, number: str) -> None:
    assert maoctl("run", "get", number).exit == Exit.USAGE
