"""From the engine's words to ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.errors import BackendFailed
from app.executors.base import Phase
from app.executors.container_state import (
    adopted,
    creation_refused,
    has_never_run,
    leftover,
    observation,
    start_refused,
)
from app.models.run import Cause

NEVER = "0001-01-01T00:00:00Z"
STARTED = "2026-03-01T12:00:00.123456789Z"
FINISHED = "2026-03-01T12:00:05Z"


def shown(status: str, started: str = STARTED, finished: str = FINISHED, **state: Any) -> dict[str, Any]:
    values = {"Status": status, "ExitCode": 0, "OOMKilled": False, "Error": ""}
    return {"Id": "id", "State": {**values, "StartedAt": started, "FinishedAt": finished, **state}}


def test_an_exited_container_has_an_exit_code_and_two_times() -> None:
    seen = observation(shown("exited", ExitCode=3, OOMKilled=True))
    assert (seen.phase, seen.exit_code, seen.is_oom) == (Phase.ENDED, 3, True)
    assert seen.started_at == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert seen.ended_at == datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def test_a_tool_that_ended_before_the_engine_noted_its_start_took_no_time() -> None:
    seen = observation(shown("exited", started="2026-03-01T12:00:00.002Z", finished="2026-03-01T12:00:00.001Z"))
    assert seen.started_at == seen.ended_at == datetime(2026, 3, 1, 12, 0, 0, 1000, tzinfo=UTC)


@pytest.mark.parametrize("status", ["running", "paused", "restarting"])
def test_a_live_container_has_no_exit_code(status: str) -> None:
    seen = observation(shown(status, finished=NEVER))
    assert (seen.phase, seen.exit_code, seen.ended_at) == (Phase.RUNNING, None, None)


def test_a_container_whose_start_failed_is_still_only_created() -> None:
    seen = observation(shown("created", NEVER, NEVER, ExitCode=127, Error="no such file"))
    assert (seen.phase, seen.exit_code, seen.error) == (Phase.CREATED, None, "no such file")


def test_a_container_that_is_removed_before_it_ran_gives_no_evidence() -> None:
    assert observation(shown("removing", NEVER, NEVER)).phase is Phase.GONE


@pytest.mark.parametrize("status", ["running", "exited", "dead", "removing", "paused"])
def test_only_a_container_that_never_ran_may_be_started(status: str) -> None:
    assert has_never_run(shown("created", NEVER, NEVER))
    assert not has_never_run(shown(status))
    assert not has_never_run(shown("created", STARTED))


def test_the_container_that_has_our_name_must_have_our_labels() -> None:
    labels = {"mao.run": "7", "mao.attempt": "1"}
    assert adopted({"Id": "id", "Config": {"Labels": {**labels, "more": "x"}}}, labels, "name") == "id"
    for other in ({}, None, {**labels, "mao.attempt": "2"}):
        with pytest.raises(BackendFailed, match="name"):
            adopted({"Id": "id", "Config": {"Labels": other}}, labels, "name")


def listed(name: str) -> dict[str, Any]:
    labels = {"mao.node": "a", "mao.run": "7", "mao.attempt": "2"}
    return {"Id": "id", "Names": [name], "Labels": labels, "State": "exited", "Created": 0}


def test_a_leftover_is_read_from_its_labels() -> None:
    found = leftover(listed("/mao-a-7-2"))
    assert found
    assert (found.handle, found.run_id, found.attempt, found.phase) == ("id", 7, 2, Phase.ENDED)
    assert found.created_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_labels_under_another_name_are_not_ours() -> None:
    assert leftover(listed("/somebody")) is None


@pytest.mark.parametrize(("run", "attempt"), [("", ""), ("x", "1"), ("7", "two"), ("-7", "1"), ("9" * 30, "1")])
def test_labels_that_no_run_of_ours_has_are_not_ours_and_no_error(run: str, attempt: str) -> None:
    entry = listed(f"/mao-a-{run}-{attempt}")
    entry["Labels"] |= {"mao.run": run, "mao.attempt": attempt}
    assert leftover(entry) is None


@pytest.mark.parametrize(("code", "words"), [(127, "missing"), (126, "cannot be executed")])
def test_a_command_that_cannot_start_is_the_tools_error(code: int, words: str) -> None:
    error = start_refused({"State": {"ExitCode": code}}, "said")
    assert error.cause == Cause.TOOL_ERROR
    assert words in error.message
    assert str(code) in error.message


@pytest.mark.parametrize("seen", [None, {"State": {"ExitCode": 128}}])
def test_another_failed_start_is_the_backends_error(seen: dict[str, Any] | None) -> None:
    assert start_refused(seen, "network not found").cause == Cause.BACKEND_ERROR


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("No such image: sha256:1", Cause.IMAGE_MISSING),
        ("No command specified", Cause.TOOL_ERROR),
        ("invalid mount config", Cause.BACKEND_ERROR),
    ],
)
def test_a_failed_creation_has_the_cause_that_the_engine_names(said: str, cause: Cause) -> None:
    assert creation_refused("spike", 400, said).cause == cause
