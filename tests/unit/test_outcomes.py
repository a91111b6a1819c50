"""From evidence to a final state: one test a rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.executors.base import Observation, Phase
from app.executors.outcomes import Outcome, outcome_of, times_of
from app.models.run import FINAL, Cause, RunStatus

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ended(code: int | None, *, seconds: float = 1, **values: Any) -> Observation:
    return Observation(Phase.ENDED, code, started_at=START, ended_at=START + timedelta(seconds=seconds), **values)


def judge(seen: Observation, **circumstances: Any) -> Outcome:
    return outcome_of(seen, timeout_seconds=60, **circumstances)


def test_exit_code_0_is_success() -> None:
    outcome = judge(ended(0))
    assert (outcome.status, outcome.cause, outcome.exit_code) == (RunStatus.SUCCEEDED, Cause.OK, 0)
    assert outcome.warnings == ()


@pytest.mark.parametrize("code", [1, 3, 126, 127, 137, 255])
def test_another_exit_code_is_the_tools_failure(code: int) -> None:
    outcome = judge(ended(code, error="what the engine said"))
    assert (outcome.status, outcome.cause, outcome.exit_code) == (RunStatus.FAILED, Cause.TOOL_ERROR, code)
    assert str(code) in outcome.message
    assert "what the engine said" in outcome.message


def test_what_is_gone_is_in_doubt() -> None:
    outcome = judge(Observation(Phase.GONE))
    assert (outcome.status, outcome.cause) == (RunStatus.IN_DOUBT, Cause.LOST)


def test_what_is_gone_is_in_doubt_even_after_a_stop() -> None:
    assert judge(Observation(Phase.GONE), stopped_by="ann").status is RunStatus.IN_DOUBT


def test_an_end_without_an_exit_code_is_in_doubt() -> None:
    assert judge(ended(None)).status is RunStatus.IN_DOUBT


def test_a_stop_is_named_after_whoever_asked() -> None:
    outcome = judge(ended(143), stopped_by="ann")
    assert (outcome.status, outcome.cause) == (RunStatus.ABORTED, Cause.CANCELLED)
    assert "ann" in outcome.message


def test_a_stop_that_came_after_the_end_changes_nothing() -> None:
    outcome = judge(ended(0), stopped_by="ann", had_ended_before_stop=True)
    assert outcome.status is RunStatus.SUCCEEDED


def test_an_end_at_the_time_limit_is_a_timeout() -> None:
    outcome = judge(ended(137, seconds=60))
    assert (outcome.status, outcome.cause) == (RunStatus.FAILED, Cause.TIMEOUT)
    assert "60 seconds" in outcome.message


def test_a_tool_that_gives_way_with_exit_code_0_ran_out_of_time_all_the_same() -> None:
    assert judge(ended(0, seconds=61)).cause is Cause.TIMEOUT


def test_a_failure_before_the_time_limit_is_no_timeout() -> None:
    assert judge(ended(1, seconds=59)).cause is Cause.TOOL_ERROR


def test_a_tool_killed_for_memory_failed() -> None:
    outcome = judge(ended(137, is_oom=True))
    assert (outcome.status, outcome.cause) == (RunStatus.FAILED, Cause.OOM)


def test_a_child_killed_for_memory_is_a_warning() -> None:
    outcome = judge(ended(0, is_oom=True))
    assert (outcome.status, outcome.cause) == (RunStatus.SUCCEEDED, Cause.OK)
    assert len(outcome.warnings) == 1


@pytest.mark.parametrize("code", [137, 143, 255])
def test_an_exit_code_that_the_engine_may_have_made_up_is_no_evidence(code: int) -> None:
    assert judge(ended(code), was_unobserved=True).status is RunStatus.IN_DOUBT


@pytest.mark.parametrize(("code", "status"), [(0, RunStatus.SUCCEEDED), (3, RunStatus.FAILED)])
def test_other_exit_codes_count_after_an_outage_too(code: int, status: RunStatus) -> None:
    assert judge(ended(code), was_unobserved=True).status is status


def test_every_outcome_is_final_and_says_something() -> None:
    for phase in (Phase.ENDED, Phase.GONE):
        for code in (None, 0, 1, 137, 255):
            for is_oom in (False, True):
                for stopped_by in (None, "ann"):
                    seen = Observation(phase, code, is_oom, START, START)
                    outcome = judge(seen, stopped_by=stopped_by, was_unobserved=is_oom)
                    assert outcome.status in FINAL
                    assert outcome.message


def test_both_times_are_the_backends_where_it_shows_them() -> None:
    assert times_of(ended(0, seconds=5), START + timedelta(hours=1)) == (START, START + timedelta(seconds=5))


@pytest.mark.parametrize("began", [START, datetime(2999, 1, 1, tzinfo=UTC)])
def test_an_attempt_never_ends_before_it_started(began: datetime) -> None:
    for seen in (None, Observation(Phase.GONE), Observation(Phase.ENDED, ended_at=START - timedelta(seconds=1))):
        started_at, ended_at = times_of(seen, began)
        assert started_at == began <= ended_at
