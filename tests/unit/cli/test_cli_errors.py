"""From what goes wrong to a message and an exit status."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import requests

import cli.commands.tool
from cli.exits import Exit, exit_of_run
from tests.unit.cli.conftest import TOKEN, URL, Reply, Run, StubServer
from tests.unit.cli.samples import TOOL, a_page


def refused_connection() -> requests.ConnectionError:
    error = requests.ConnectionError("HTTPConnectionPool(host='mao.test'): Max retries exceeded")
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    return error


def reset_connection() -> requests.ConnectionError:
    error = requests.ConnectionError("('Connection aborted.')")
    error.__cause__ = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    return error


def test_a_refusal_shows_message_rules_and_hint(maoctl: Run, server: StubServer) -> None:
    payload = {
        "message": "The tool cannot be registered.",
        "errors": {"json": {"name": ["Must be short."], "env": {"A B": ["No spaces.", "No blanks."]}}},
        "hint": "Choose another name.",
    }
    server.on("POST", "/api/tools", Reply(422, payload))
    result = maoctl("tool", "add", "spike", "me", "image", "", "", "")
    assert (result.exit, result.out) == (Exit.REFUSED, "")
    assert result.err.splitlines() == [
        "maoctl: The tool cannot be registered.",
        "  name: Must be short.",
        "  env.A B: No spaces.",
        "  env.A B: No blanks.",
        "hint: Choose another name.",
    ]


def test_a_rule_that_the_message_repeats_is_shown_once(maoctl: Run, server: StubServer) -> None:
    payload = {"message": "Bad. name: Must be short.", "errors": {"json": {"name": ["Must be short."]}}}
    server.on("GET", "/api/tools", Reply(422, payload))
    assert maoctl("tool", "get").err.splitlines() == ["maoctl: Bad.", "  name: Must be short."]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 428, 429])
def test_every_4xx_is_a_refusal(maoctl: Run, server: StubServer, status: int) -> None:
    server.on("GET", "/api/tools", Reply(status, {"message": "No."}))
    result = maoctl("tool", "get")
    assert (result.exit, result.err) == (Exit.REFUSED, "maoctl: No.\n")


@pytest.mark.parametrize("status", [500, 502, 504])
def test_every_5xx_is_a_failure_of_the_server(maoctl: Run, server: StubServer, status: int) -> None:
    server.on("GET", "/api/tools", Reply(status, body=b"<html>oops</html>"))
    result = maoctl("tool", "get")
    assert result.exit == Exit.SERVER_FAILED
    assert f"The server answered {status}" in result.err
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body", [b"<html>a router's login page</html>", b"[1]", b'{"items": 3}', b'{"items": [3]}', b""]
)
def test_an_answer_of_another_form_is_a_failure_of_the_server(maoctl: Run, server: StubServer, body: bytes) -> None:
    server.on("GET", "/api/tools", Reply(200, body=body))
    result = maoctl("tool", "get")
    assert (result.exit, result.out) == (Exit.SERVER_FAILED, "")
    assert result.err.startswith("maoctl: The server's answer")


def test_a_redirect_is_never_followed(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(302, headers={"Location": "http://elsewhere.test/"}))
    assert maoctl("tool", "get").exit == Exit.SERVER_FAILED
    assert len(server.requests) == 1


def test_a_refused_connection_names_the_url_and_the_cure(maoctl: Run, server: StubServer, sleeps: list[float]) -> None:
    server.on("GET", "/api/tools", refused_connection())
    result = maoctl("tool", "get")
    assert result.exit == Exit.UNREACHED
    assert result.err.splitlines()[0] == f"maoctl: No server listens at {URL}."
    assert "mao up" in result.err.splitlines()[1]
    assert (len(server.requests), sleeps) == (1, [])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.ConnectTimeout("slow"), "no answer within"),
        (requests.ReadTimeout("slow"), "did not answer in time"),
        (requests.exceptions.SSLError("bad certificate"), "no certificate that can be trusted"),
        (requests.ConnectionError("name"), "cannot be reached"),
    ],
)
def test_each_way_of_not_reaching_the_server_says_which(
    maoctl: Run, server: StubServer, error: Exception, words: str
) -> None:
    server.on("GET", "/api/tools", error)
    result = maoctl("tool", "get")
    assert result.exit == Exit.UNREACHED
    assert words in result.err


def test_a_get_is_tried_again_after_a_reset(maoctl: Run, server: StubServer, sleeps: list[float]) -> None:
    server.on("GET", "/api/tools", reset_connection(), reset_connection(), Reply(values=a_page(TOOL)))
    assert maoctl("tool", "get").exit == Exit.DONE
    assert sleeps == [0.3, 0.6]


def test_a_get_is_given_up_after_three_tries(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", reset_connection())
    assert maoctl("tool", "get").exit == Exit.UNREACHED
    assert len(server.requests) == 3


def test_retry_after_is_obeyed_within_reason(maoctl: Run, server: StubServer, sleeps: list[float]) -> None:
    down = {"message": "postgres is down."}
    server.on(
        "GET",
        "/api/tools",
        Reply(503, down, headers={"Retry-After": "2"}),
        Reply(503, down, headers={"Retry-After": "3600"}),
        Reply(values=a_page(TOOL)),
    )
    assert maoctl("tool", "get").exit == Exit.DONE
    assert sleeps == [2.0, 5.0]


def test_an_outage_without_retry_after_is_not_tried_again(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(503, {"message": "etcd is down."}))
    result = maoctl("tool", "get")
    assert (result.exit, result.err) == (Exit.SERVER_FAILED, "maoctl: etcd is down.\n")
    assert len(server.requests) == 1


LOST = [
    reset_connection(),
    refused_connection(),
    requests.ReadTimeout("slow"),
    requests.ConnectTimeout("slow"),
    Reply(503, {}, headers={"Retry-After": "1"}),
]
SUBMISSIONS = [
    ("/api/tools/spike/runs", ("tool", "run", "spike", "--detach")),
    ("/api/runs/12/resubmit", ("run", "retry", "12")),
]


@pytest.mark.parametrize(("path", "command"), SUBMISSIONS)
@pytest.mark.parametrize("lost", LOST)
def test_a_submission_is_repeated_with_one_key(
    maoctl: Run, server: StubServer, path: str, command: tuple[str, ...], lost: Any
) -> None:
    server.on("POST", path, lost, lost, Reply(202, {"runId": 12}))
    assert maoctl(*command).out == "12\n"
    keys = {request.headers["Idempotency-Key"] for request in server.requests}
    assert (len(server.requests), len(keys)) == (3, 1)


@pytest.mark.parametrize(("path", "command"), SUBMISSIONS)
def test_each_submission_has_a_fresh_key_unless_one_is_given(
    maoctl: Run, server: StubServer, path: str, command: tuple[str, ...]
) -> None:
    server.on("POST", path, Reply(202, {"runId": 12}))
    for more in ((), (), ("--idempotency-key", "mine"), ("--idempotency-key", "mine")):
        maoctl(*command, *more)
    first, second, *given = [request.headers["Idempotency-Key"] for request in server.requests]
    assert first != second
    assert given == ["mine", "mine"]


@pytest.mark.parametrize(("path", "command"), SUBMISSIONS)
def test_a_lost_submission_says_how_to_repeat_it(
    maoctl: Run, server: StubServer, path: str, command: tuple[str, ...]
) -> None:
    server.on("POST", path, reset_connection())
    told = maoctl(*command).err
    assert "Whether the request was carried out is not known" in told
    assert f"--idempotency-key {server.requests[0].headers['Idempotency-Key']}" in told


def test_a_submission_that_is_refused_is_not_repeated(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools/spike/runs", Reply(409, {"message": "The key has made run 3."}))
    assert maoctl("tool", "run", "spike").exit == Exit.REFUSED
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "lost", [reset_connection(), requests.ReadTimeout("slow"), Reply(503, {}, headers={"Retry-After": "1"})]
)
def test_any_other_change_is_never_repeated(maoctl: Run, server: StubServer, lost: Any) -> None:
    server.on("POST", "/api/runs/12/start", lost)
    assert maoctl("run", "start", "12").exit in (Exit.UNREACHED, Exit.SERVER_FAILED)
    assert len(server.requests) == 1


def test_every_call_has_time_limits(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(values=a_page()))
    maoctl("tool", "get")
    assert server.timeouts == [(5.0, 30.0)]


def test_the_token_is_sent_in_its_header_alone(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(values=a_page()))
    maoctl("tool", "get")
    assert server.requests[0].headers["X-Api-Token"] == TOKEN
    assert TOKEN not in str(server.requests[0].url)


@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_the_token_is_shown_in_no_error(maoctl: Run, server: StubServer, options: tuple[str, ...]) -> None:
    server.on("GET", "/api/tools", Reply(401, {"message": f"The token {TOKEN} is unknown.", "hint": TOKEN}))
    result = maoctl(*options, "tool", "get")
    assert result.exit == Exit.REFUSED
    assert TOKEN not in result.out + result.err
    assert "The token *** is unknown." in result.err


def test_debug_shows_the_trace_and_the_message(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(404, {"message": "No."}))
    assert "Traceback" not in maoctl("tool", "get").err
    result = maoctl("--debug", "tool", "get")
    assert "Traceback" in result.err
    assert result.err.endswith("maoctl: No.\n")


def test_a_mistake_of_our_own_has_a_status_of_its_own(maoctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise KeyError("items")

    monkeypatch.setattr(cli.commands.tool, "given", break_down)
    result = maoctl("tool", "add", "a", "b", "c", "d", "e", "f")
    assert result.exit == Exit.BUG
    assert "KeyError" in result.err
    assert "Traceback" not in result.err


def test_ctrl_c_is_interrupted(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", KeyboardInterrupt())
    result = maoctl("tool", "get")
    assert result.exit == Exit.INTERRUPTED
    assert "maoctl: Interrupted." in result.err


def test_a_hostile_message_reaches_the_terminal_as_plain_text(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/tools", Reply(404, {"message": "\x1b]0;owned\x07No \x1b[2Jtool.\nmaoctl: all is well"}))
    assert maoctl("tool", "get").err == "maoctl: No tool. maoctl: all is well\n"


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_name_cannot_climb_to_another_endpoint(maoctl: Run, server: StubServer, name: str) -> None:
    assert maoctl("tool", "remove", name).exit == Exit.USAGE
    assert server.requests == []


def test_a_name_is_one_segment_of_the_path(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/tools/a%2F..%2Fb%3Fc", Reply(204))
    assert maoctl("tool", "remove", "a/../b?c").exit == Exit.DONE


@pytest.mark.parametrize(
    ("status", "verdict", "fails_on_spike", "expected"),
    [
        ("SUCCEEDED", "ok", True, Exit.DONE),
        ("SUCCEEDED", "spike", False, Exit.DONE),
        ("SUCCEEDED", "spike", True, Exit.SPIKE),
        ("FAILED", None, True, Exit.RUN_FAILED),
        ("FAILED", "spike", True, Exit.SPIKE),
        ("FAILED", "spike", False, Exit.RUN_FAILED),
        ("ABORTED", None, False, Exit.RUN_FAILED),
        ("IN_DOUBT", None, False, Exit.IN_DOUBT),
        ("IN_DOUBT", "spike", True, Exit.IN_DOUBT),
    ],
)
def test_the_exit_status_follows_from_run_and_verdict(
    status: str, verdict: str | None, fails_on_spike: bool, expected: Exit
) -> None:
    assert exit_of_run(status, verdict, fail_on_spike=fails_on_spike) is expected


def test_the_numbers_are_those_that_scripts_know() -> None:
    assert {member.name: member.value for member in Exit} == {
        "DONE": 0,
        "REFUSED": 1,
        "USAGE": 2,
        "UNREACHED": 3,
        "SERVER_FAILED": 4,
        "RUN_FAILED": 5,
        "SPIKE": 6,
        "IN_DOUBT": 7,
        "TIMED_OUT": 8,
        "DIFFERENT": 9,
        "BUG": 70,
        "INTERRUPTED": 130,
        "OUTPUT_CLOSED": 141,
    }
