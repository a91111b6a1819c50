"""The table of legal changes: complete, and every state can end."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.models.run import FINAL, HELD, LEGAL_CHANGES, WAITING, RunStatus, may_follow

MODEL = Path(__file__).parents[2] / "app" / "models" / "run.py"


def test_every_status_has_a_row_and_belongs_to_one_group() -> None:
    assert set(LEGAL_CHANGES) == set(RunStatus)
    assert set(RunStatus) == FINAL | HELD | WAITING
    assert not FINAL & HELD and not FINAL & WAITING and not HELD & WAITING


def test_a_final_run_changes_no_more_but_one_in_doubt_may_be_resolved() -> None:
    for status in FINAL - {RunStatus.IN_DOUBT}:
        assert LEGAL_CHANGES[status] == frozenset()
    assert LEGAL_CHANGES[RunStatus.IN_DOUBT] == FINAL - {RunStatus.IN_DOUBT}


@pytest.mark.parametrize("status", sorted(set(RunStatus) - FINAL))
def test_every_state_that_is_not_final_leads_to_an_end(status: RunStatus) -> None:
    reached, todo = set(), [status]
    while todo:
        here = todo.pop()
        if here not in reached:
            reached.add(here)
            todo += LEGAL_CHANGES[here]
    assert reached & FINAL


def test_no_run_goes_back_but_for_another_attempt() -> None:
    order = [
        RunStatus.DEFINED,
        RunStatus.WAITING_LOCKS,
        RunStatus.PENDING_SUBMIT,
        RunStatus.SUBMITTED,
        RunStatus.RUNNING,
        RunStatus.ABORTING,
    ]
    another_attempt = {(held, RunStatus.WAITING_LOCKS) for held in order[2:5]}
    for place, later in enumerate(order):
        for earlier in order[: place + 1]:
            assert may_follow(later, earlier) == ((later, earlier) in another_attempt)


def test_the_index_on_held_clones_names_the_held_states() -> None:
    line = next(line for line in MODEL.read_text().splitlines() if line.startswith("_HELD_SQL"))
    assert {status for status in RunStatus if f"'{status}'" in line} == HELD
