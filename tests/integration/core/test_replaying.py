"""Which runs are repeated, for whom, and what the repetition is like."""

from __future__ import annotations

from typing import Any

import pytest

from app.clock import utc_now
from app.errors import AlreadyExists, Gone, NotFound, WrongState
from app.models.run import Run, RunStatus
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.replay_plans import plan_of
from app.services.replays import ReplayService
from app.services.submitting import SubmitService
from tests.integration.core.conftest import add_run
from tests.integration.core.timetable import KnownTools

DIGEST = "sha256:" + "a" * 64
DATA = {"clone": "data", "data_url": "https://x/data", "baseline_tree": "1a", "input_commit": "2b"}


@pytest.fixture
def replays(database: Database) -> ReplayService:
    return ReplayService(database)


def over(database: Database, **columns: Any) -> Run:
    """Store a run that is over."""
    now = utc_now()
    given = {"tool_entry": {"name": "spike", "image": "group/spike:latest"}, "image_digest": DIGEST, "node": "n"}
    run = add_run(database, **{**given, "parameters": {"publish": "push", "command": ["go"]}, **columns})
    with database.transaction() as session:
        times = {"started_at": columns.get("started_at", now), "ended_at": now}
        RunRepository(session).set(run.id, status=RunStatus.SUCCEEDED, **times)
    return row(database, run.id)


def row(database: Database, run_id: int) -> Run:
    with database.transaction() as session:
        return RunRepository(session).get(run_id)


def test_a_replay_is_the_same_but_for_its_place(database: Database, replays: ReplayService, owner: Identity) -> None:
    first = over(database, **DATA, labels={"a": "b"}, locks=["site"], due_at=utc_now())
    made = row(database, replays.replay(owner, first.id))
    for column in ("tool", "labels", "locks", "backend", "profile", "data_url", "due_at", "owner"):
        assert getattr(made, column) == getattr(first, column), column
    assert (made.status, made.replay_of, made.parent_id, made.clone) == ("WAITING_LOCKS", first.id, first.id, None)
    assert made.tool_entry == {"name": "spike", "image": f"group/spike@{DIGEST}"}
    assert (made.parameters["command"], made.job_id) == (["go"], None)
    plan = plan_of(made)
    assert plan is not None
    assert (plan.run_id, plan.clone, plan.tree, plan.commit, plan.node) == (first.id, "data", "1a", "2b", "n")


def test_only_a_run_that_began_and_is_over_is_repeated(
    database: Database, replays: ReplayService, owner: Identity
) -> None:
    waiting = add_run(database)
    with pytest.raises(WrongState, match="WAITING_LOCKS"):
        replays.replay(owner, waiting.id)
    never = over(database, started_at=None)
    with pytest.raises(WrongState, match="never began"):
        replays.replay(owner, never.id)
    replay = replays.replay(owner, over(database).id)
    with pytest.raises(WrongState, match="is a replay"):
        replays.replay(owner, replay)
    with pytest.raises(WrongState, match="is a replay"):
        SubmitService(database, KnownTools()).resubmit(owner, replay, {})  # type: ignore[arg-type]


def test_a_stranger_repeats_nothing(database: Database, replays: ReplayService, stranger: Identity) -> None:
    with pytest.raises(NotFound):
        replays.replay(stranger, over(database).id)


def test_a_key_makes_one_replay(database: Database, replays: ReplayService, owner: Identity) -> None:
    first, second = over(database), over(database)
    made = replays.replay(owner, first.id, key="k")
    assert replays.replay(owner, first.id, key="k") == made
    with pytest.raises(AlreadyExists):
        replays.replay(owner, second.id, key="k")


def test_a_run_whose_files_are_gone_is_not_repeated(
    database: Database, replays: ReplayService, owner: Identity
) -> None:
    first = over(database)
    with database.transaction() as session:
        RunRepository(session).set(first.id, files_removed_at=utc_now())
    with pytest.raises(Gone, match="were removed"):
        replays.replay(owner, first.id)
