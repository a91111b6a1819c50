"""The judge of the storm complains about everything that must not be, and about nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.chaos import tool
from tests.chaos.evidence import Change, Evidence, RunRow
from tests.chaos.judgement import judge
from tests.chaos.ledger import Appointment, Ledger, Submission
from tests.chaos.marks import Execution
from tests.chaos.storm import Incident

BEGAN = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
GOOD, BAD = 3, 4


def _run(run_id: int, **values: object) -> RunRow:
    code = tool.exit_code(run_id)
    usual = {
        "tool": "alpha",
        "status": "FAILED" if code else "SUCCEEDED",
        "cause": "tool_error" if code else "ok",
        "exit_code": code,
        "attempt": 1,
        "description": f"key-{run_id}",
        "job_id": None,
        "due_at": None,
        "message": "",
        "defined_at": BEGAN,
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(seconds=1),
    }
    return RunRow(run_id, **{**usual, **values})  # type: ignore[arg-type]


def _log(run: RunRow) -> list[Change]:
    states = [None, "WAITING_LOCKS", "PENDING_SUBMIT", "SUBMITTED", "RUNNING", run.status]
    return [Change(old, new or "", None) for old, new in pairwise(states)]


def _execution(run_id: int, began: float, container: str = "c", token: str = "0") -> Execution:
    key = f"{run_id}-{container}-{began}"
    return Execution(key, run_id, f"{container}{run_id}", token, "alpha", began, began + 1)


@pytest.fixture
def evidence() -> Evidence:
    """A good run and one whose tool failed, with nothing wrong."""
    runs = {run_id: _run(run_id) for run_id in (GOOD, BAD)}
    ledger = Ledger()
    ledger.submissions = [Submission(f"key-{run_id}", "alpha", answered={run_id}) for run_id in runs]
    return Evidence(
        runs=runs,
        changes={run.id: _log(run) for run in runs.values()},
        attempts={},
        firings=[],
        output={run_id: [(0, b"".join(tool.lines(run_id)))] for run_id in runs},
        executions=[_execution(GOOD, 10.0), _execution(BAD, 20.0)],
        published={"alpha": [f"begin,{GOOD},c3,0,a", f"end,{GOOD},c3,0,a"]},
        ledger=ledger,
        incidents=[],
        ended_at=BEGAN,
        clock_offset=0.0,
    )


def _kinds(evidence: Evidence) -> set[str]:
    return {complaint.kind for complaint in judge(evidence)}


def _change(evidence: Evidence, run_id: int, **values: object) -> None:
    run = replace(evidence.runs[run_id], **values)  # type: ignore[arg-type]
    evidence.runs[run_id], evidence.changes[run_id] = run, _log(run)


def _engine_was_away(evidence: Evidence) -> None:
    evidence.incidents.append(Incident("engine: killed", "engine", BEGAN.timestamp()))


def test_nothing_wrong_gives_no_complaint(evidence: Evidence) -> None:
    assert judge(evidence) == []


def test_a_storm_that_was_broken_proves_nothing(evidence: Evidence) -> None:
    evidence.ledger.troubles.append("submitter-1: TypeError()")
    assert _kinds(evidence) == {"broken storms"}


def test_an_accepted_run_that_is_not_there_is_lost(evidence: Evidence) -> None:
    evidence.ledger.submissions.append(Submission("key-9", "alpha", answered={9}))
    assert _kinds(evidence) == {"lost"}


def test_a_run_that_never_ends_is_lost(evidence: Evidence) -> None:
    _change(evidence, BAD, status="RUNNING")
    evidence.changes[BAD].pop()
    assert _kinds(evidence) == {"lost"}


def test_a_key_that_made_two_runs_is_seen_though_one_of_them_was_never_answered(evidence: Evidence) -> None:
    _change(evidence, BAD, description=f"key-{GOOD}")
    assert _kinds(evidence) == {"repeated submissions"}


def test_a_container_that_was_started_twice_is_seen(evidence: Evidence) -> None:
    _second_attempt(evidence, 30.0)
    evidence.executions[-1].container = evidence.executions[-2].container
    assert _kinds(evidence) == {"double starts"}


def _second_attempt(evidence: Evidence, began: float) -> None:
    """Let the failed run have had two attempts, the later one from ``began`` on."""
    data = b"".join(tool.lines(BAD))
    _change(evidence, BAD, attempt=2, output_base=len(data))
    evidence.attempts[BAD] = [(1, tool.exit_code(BAD), "tool_error", 0)]
    evidence.executions.append(_execution(BAD, began, "other"))
    evidence.output[BAD].append((len(data), data))


def test_a_second_attempt_begins_after_the_first_has_ended(evidence: Evidence) -> None:
    _second_attempt(evidence, 30.0)
    assert _kinds(evidence) == set()
    evidence.executions[-1].began = 20.5
    assert _kinds(evidence) == {"double starts"}


def test_attempts_that_were_not_made_or_not_recorded_are_seen(evidence: Evidence) -> None:
    evidence.ledger.submissions[1].tool_retries = 1
    assert _kinds(evidence) == {"wrong retries"}
    _second_attempt(evidence, 30.0)
    _change(evidence, BAD, tool_failures=1)
    assert _kinds(evidence) == set()
    evidence.attempts[BAD][0] = (2, 1, "tool_error", 0)
    assert _kinds(evidence) == {"wrong retries"}


def test_more_executions_than_attempts_are_seen(evidence: Evidence) -> None:
    evidence.executions.append(_execution(BAD, 30.0, "other"))
    assert _kinds(evidence) == {"double starts"}


def test_a_run_that_is_shown_wrongly_for_ever_is_seen(evidence: Evidence) -> None:
    evidence.never_right = [(BAD, 1)]
    assert _kinds(evidence) == {"never true"}


def test_an_orphan_is_seen(evidence: Evidence) -> None:
    evidence.orphans = [(BAD, 1)]
    assert _kinds(evidence) == {"orphans"}


@pytest.mark.parametrize(
    "values",
    [
        {"status": "SUCCEEDED", "cause": "ok", "exit_code": 0},
        {"exit_code": 2},
        {"cause": "backend_error"},
        {"status": "ABORTED", "cause": "cancelled"},
    ],
)
def test_a_state_that_is_not_what_the_tool_did_is_false(evidence: Evidence, values: dict[str, object]) -> None:
    _change(evidence, BAD, **values)
    assert "false states" in _kinds(evidence)


def test_a_good_run_whose_tool_did_not_come_to_its_end_is_false(evidence: Evidence) -> None:
    evidence.executions[0].ended = None
    assert _kinds(evidence) == {"false states"}


def test_doubt_needs_an_engine_that_was_away(evidence: Evidence) -> None:
    _change(evidence, BAD, status="IN_DOUBT", cause="lost", exit_code=137)
    assert _kinds(evidence) == {"unexplained doubt"}
    _engine_was_away(evidence)
    assert _kinds(evidence) == set()


def test_a_log_with_a_gap_is_broken(evidence: Evidence) -> None:
    del evidence.changes[BAD][2]
    assert _kinds(evidence) == {"broken logs"}


def test_bytes_that_are_missing_repeated_or_out_of_place_are_seen(evidence: Evidence) -> None:
    lines = tool.lines(BAD)
    for data in (lines[:-1], [*lines, lines[-1]], lines[1:], [lines[1], lines[0], *lines[2:]]):
        evidence.output[BAD] = [(0, b"".join(data))]
        assert _kinds(evidence) == {"wrong output"}
    evidence.output[BAD] = [(0, lines[0]), (len(lines[0]) + 1, b"".join(lines[1:]))]
    assert _kinds(evidence) == {"wrong output"}


def test_an_engine_that_was_away_excuses_missing_lines_but_no_repeated_ones(evidence: Evidence) -> None:
    _engine_was_away(evidence)
    lines = tool.lines(BAD)
    evidence.output[BAD] = [(0, b"".join([lines[0], *lines[3:]]))]
    assert _kinds(evidence) == set()
    evidence.output[BAD] = [(0, b"".join([lines[0], lines[0], *lines[1:]]))]
    assert _kinds(evidence) == {"wrong output"}


def test_data_of_a_failed_run_and_missing_data_of_a_good_one_are_seen(evidence: Evidence) -> None:
    good = evidence.published["alpha"]
    for marks in ([], [*good, good[0]], [*good, f"begin,{BAD},c4,0,b"]):
        evidence.published["alpha"] = marks
        assert _kinds(evidence) == {"wrong data"}


def test_a_due_instant_without_a_run_and_one_with_two_are_seen(evidence: Evidence) -> None:
    evidence.ledger.appointments = [Appointment("job", BEGAN)]
    assert _kinds(evidence) == {"wrong firings"}
    evidence.firings = [("job", BEGAN, "fired", BAD)]
    _change(evidence, BAD, job_id="job", due_at=BEGAN)
    evidence.ledger.submissions.pop()
    assert _kinds(evidence) == set()
    _change(evidence, GOOD, job_id="job", due_at=BEGAN)
    assert _kinds(evidence) == {"wrong firings"}


def test_every_minute_of_a_minutely_job_is_expected(evidence: Evidence) -> None:
    evidence.ledger.appointments = [Appointment("job", BEGAN, is_minutely=True)]
    evidence.firings = [("job", BEGAN, "fired", BAD)]
    _change(evidence, BAD, job_id="job", due_at=BEGAN)
    assert _kinds(evidence) == set()
    evidence.ended_at = BEGAN + timedelta(seconds=90)
    assert _kinds(evidence) == {"wrong firings"}


def test_a_lock_that_is_left_and_one_that_two_runs_had_at_once_are_seen(evidence: Evidence) -> None:
    evidence.lock_keys = {"/mao/locks/a": b"{}"}
    assert _kinds(evidence) == {"lock faults"}
    evidence.lock_keys, evidence.lock_runs = {}, {"alpha": ("a",)}
    evidence.executions = [_execution(GOOD, 10.0, token="5"), _execution(BAD, 20.0, token="9")]
    assert _kinds(evidence) == set()
    evidence.executions[1].began = 10.5
    assert _kinds(evidence) == {"lock faults"}
    _change(evidence, GOOD, warnings=["The lock 'a' was lost."])
    assert _kinds(evidence) == set()
    _change(evidence, GOOD, warnings=[])
    evidence.executions[1] = _execution(BAD, 20.0, token="4")
    assert _kinds(evidence) == {"lock faults"}
