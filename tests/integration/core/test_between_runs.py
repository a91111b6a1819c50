"""Pushes and decisions between the runs of a clone: they and the runs never find each other's work half done."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from app.errors import DatabaseDown, MaoError, RemoteDown, Superseded
from app.models.clone import CloneState
from app.models.run import FINAL, Run
from app.models.token import Identity
from app.repositories import clone_decisions
from app.repositories.clones import CloneRepository
from app.repositories.workdirs import Workdirs
from app.services import clone_claims, clone_work, finishing, publishing
from app.services.clone_work import work_on_clones
from app.services.publishing_later import push_due, work_on_decisions
from app.services.quarantines import QuarantineService
from tests.integration.core.publishing_site import Killed, Site, kill_at
from tests.integration.git_server import git

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
SPIKE = {"on_spike": "quarantine"}


def waiting_run(site: Site) -> Run:
    """Let a run end whose commit the remote did not take; from then on it takes everything."""
    hook = site.origin.bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    run = site.run()
    assert run.push_state == "refused"
    hook.unlink()
    return run


def spike(site: Site, **entry: Any) -> Run:
    site.backend.value = 5000
    run = site.run(**SPIKE, **entry)
    site.backend.value = 900
    return run


def push_now(site: Site) -> None:
    site.let_pauses_end()
    push_due(site.context)


def assert_is_at_remote(site: Site, run: Run) -> None:
    row = site.row(run.id)
    assert (row.push_state, row.push_message) == ("pushed", None)
    assert row.output_commit in git("rev-list", "main", cwd=site.origin.bare).split()
    assert site.runs_at("main").count(run.id) == 1


def state_of_clone(site: Site) -> str:
    with site.world.database.transaction() as session:
        return CloneRepository(session).get("spike").state


@pytest.mark.parametrize("policy", ["commit", pytest.param("push", marks=pytest.mark.long)])
def test_a_push_that_comes_between_a_commit_and_the_final_row_leaves_the_commit_where_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    first = waiting_run(site)
    measured = finishing.measured

    def slowly(*arguments: Any) -> Any:
        site.origin.push({"theirs.csv": "1\n"})
        push_now(site)
        return measured(*arguments)

    monkeypatch.setattr(finishing, "measured", slowly)
    run = site.run(publish=policy)
    push_now(site)
    for each in (first, run):
        assert_is_at_remote(site, each)


@pytest.mark.long
def test_a_push_that_comes_between_a_commit_and_its_first_mention_in_the_row_waits(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = waiting_run(site)
    noted = publishing._noted

    def slowly(*arguments: Any) -> Any:
        site.origin.push({"theirs.csv": "1\n"})
        push_now(site)
        return noted(*arguments)

    monkeypatch.setattr(publishing, "_noted", slowly)
    run = site.run()
    for each in (first, run):
        assert_is_at_remote(site, each)


def test_a_push_waits_for_a_run_that_was_killed_between_its_commit_and_its_row(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = waiting_run(site)
    kill_at(monkeypatch, publishing, "_noted", is_after=False)
    run_id = site.add()
    site.dispatcher.step()
    for supervision in site.dispatcher._supervisions.values():
        supervision.thread.join(30)
    site.origin.push({"theirs.csv": "1\n"})
    site.succeed()
    push_now(site)
    assert site.row(first.id).push_state == "refused", "the run still holds the clone"
    site.dispatcher.take_over()
    run = site.world.until(run_id, *FINAL)
    for each in (first, run):
        assert_is_at_remote(site, each)


@pytest.mark.parametrize(
    ("owner_of", "name", "is_after", "is_run_first"),
    [
        pytest.param(Workdirs, "promote", True, False, marks=pytest.mark.long),
        pytest.param(Workdirs, "promote", True, True, marks=pytest.mark.long),
        pytest.param(clone_decisions, "discard", False, False, marks=pytest.mark.long),
        (clone_decisions, "discard", False, True),
    ],
)
def test_a_promotion_that_was_killed_is_finished_before_anything_else_moves_the_branch(
    site: Site,
    owner: Identity,
    monkeypatch: pytest.MonkeyPatch,
    owner_of: Any,
    name: str,
    is_after: bool,
    is_run_first: bool,
) -> None:
    first, run = waiting_run(site), spike(site)
    QuarantineService(site.world.database).promote(owner, run.id)
    kill_at(monkeypatch, owner_of, name, is_after=is_after)
    with pytest.raises(Killed):
        work_on_decisions(site.context)
    with site.world.database.transaction() as session:
        # As whoever is killed leaves it.
        CloneRepository(session).change("spike", CloneState.READY, CloneState.CLONING)
    site.origin.push({"theirs.csv": "1\n"})
    site.succeed()
    others = [first]
    if is_run_first:
        work_on_clones(site.context)
        others.append(site.run())
        assert others[-1].input_commit == site.row(run.id).original_commit
    push_now(site)
    work_on_clones(site.context)
    push_now(site)
    assert site.row(run.id).quarantine_state == "promoted"
    for each in (*others, run):
        assert_is_at_remote(site, each)


def test_a_promotion_is_recognised_where_its_commit_was_moved(site: Site) -> None:
    first, run = waiting_run(site), spike(site)
    ours = site.workdirs.promote("spike", run.id, "sync", {"Mao-Run": str(run.id)})
    site.origin.push({"theirs.csv": "1\n"})
    push_now(site)
    there = git("rev-parse", "main", cwd=site.origin.bare)
    assert site.runs_at("main") == [first.id, run.id]
    for _ in range(2):
        assert site.workdirs.promote("spike", run.id, "sync", {"Mao-Run": str(run.id)}) == there != ours
        site.workdirs.refresh("spike", str(site.origin.bare))
    assert not site.workdirs.state("spike").has_uncommitted


def test_a_decision_that_a_remote_was_away_for_comes_again_and_the_clone_is_free_meanwhile(
    site: Site, owner: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = spike(site)
    QuarantineService(site.world.database).promote(owner, run.id)

    def away(*_: Any) -> str:
        raise RemoteDown("The git server does not answer.")

    with monkeypatch.context() as outage:
        # As where the contents of old files were left at the remote.
        outage.setattr(clone_decisions, "forward", away)
        work_on_decisions(site.context)
        told = site.row(run.id)
        assert (told.quarantine_state, state_of_clone(site)) == ("promoting", "READY")
        assert told.quarantine_message == "The git server does not answer. It is tried again by itself."
        assert site.run(**SPIKE).status == "SUCCEEDED"
    work_on_decisions(site.context)
    told = site.row(run.id)
    assert (told.quarantine_state, told.quarantine_message) == ("promoted", None)
    assert_is_at_remote(site, run)


@pytest.mark.parametrize("error", [DatabaseDown("PostgreSQL does not answer."), OSError("a defect")])
def test_a_clone_whose_making_is_cut_short_is_asked_for_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    site.run()
    with site.world.database.transaction() as session:
        CloneRepository(session).change("spike", CloneState.READY, CloneState.REQUESTED)

    def broken(*_: Any) -> str:
        raise error

    with monkeypatch.context() as outage:
        outage.setattr(clone_work, "_head_of", broken)
        with pytest.raises(type(error)):
            work_on_clones(site.context)
    assert state_of_clone(site) == "REQUESTED"
    work_on_clones(site.context)
    assert state_of_clone(site) == "READY"


def test_a_clone_is_given_back_as_soon_as_the_database_answers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.run()
    transaction, failures = site.context.database.transaction, [DatabaseDown("PostgreSQL does not answer.")]

    def failing_once() -> Any:
        if failures:
            raise failures.pop()
        return transaction()

    monkeypatch.setattr(clone_claims, "_RETRY_SECONDS", 0.01)
    with clone_claims.claimed(site.context, "spike") as is_ours:
        assert (is_ours, state_of_clone(site)) == (True, "CLONING")
        monkeypatch.setattr(site.context.database, "transaction", failing_once)
    assert (failures, state_of_clone(site)) == ([], "READY")


def test_an_older_agent_that_wakes_does_not_give_back_what_its_successor_has_taken(site: Site) -> None:
    site.run()
    frozen, thawed, told = threading.Event(), threading.Event(), list[MaoError]()
    old = site.context

    def work() -> None:
        try:
            with clone_claims.claimed(old, "spike"):
                frozen.set()
                assert thawed.wait(30)
        except Superseded as error:
            told.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert frozen.wait(30)
    site.succeed(is_old_told=False)
    with site.world.database.transaction() as session:
        CloneRepository(session).change("spike", CloneState.REQUESTED, CloneState.READY)
    with clone_claims.claimed(site.context, "spike") as is_ours:
        thawed.set()
        thread.join(30)
        assert (is_ours, state_of_clone(site), len(told)) == (True, "CLONING", 1)
    assert state_of_clone(site) == "READY"


def test_an_older_agent_that_wakes_settles_no_decision(
    site: Site, owner: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = spike(site)
    QuarantineService(site.world.database).promote(owner, run.id)
    promote, old = Workdirs.promote, site.context

    def frozen(*arguments: Any) -> str:
        commit = promote(*arguments)
        site.succeed(is_old_told=False)
        return commit

    with monkeypatch.context() as frost, pytest.raises(Superseded):
        frost.setattr(Workdirs, "promote", frozen)
        work_on_decisions(old)
    assert (site.row(run.id).quarantine_state, state_of_clone(site)) == ("promoting", "REQUESTED")
    work_on_clones(site.context)
    work_on_decisions(site.context)
    assert site.row(run.id).quarantine_state == "promoted"
    assert_is_at_remote(site, run)


def test_what_stood_in_a_file_that_was_never_committed_is_to_be_committed_before_a_promotion(
    site: Site, owner: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = site.backend.start

    def appending(handle: str) -> None:
        folder = Path(site.backend.things[handle].request.data_dir or "")
        with (folder / "totals.csv").open("a") as totals:
            totals.write("row\n")
        start(handle)

    monkeypatch.setattr(site.backend, "start", appending)
    site.run(publish="none", **SPIKE)
    run = spike(site, publish="none")
    service = QuarantineService(site.world.database)
    service.promote(owner, run.id)
    work_on_decisions(site.context)
    held = site.row(run.id)
    assert held.quarantine_state == "held"
    assert "'totals.csv', of which the contents from before it are not committed" in (held.quarantine_message or "")

    git("add", "totals.csv", cwd=site.tree)
    git("commit", "-q", "-m", "what stood there", cwd=site.tree)
    service.promote(owner, run.id)
    work_on_decisions(site.context)
    assert site.row(run.id).quarantine_state == "promoted"
    assert (site.tree / "totals.csv").read_text() == "row\nrow\n"
