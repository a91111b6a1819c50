"""Data that were kept out of the data set: never on its branch, until somebody has promoted or discarded them."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import NotFound, WrongState
from app.models.run import Run
from app.models.token import Identity
from app.repositories import clone_decisions, clone_quarantine, clone_remote
from app.repositories.workdirs import Workdirs
from app.services import finishing, publishing_later, quarantine_work, quarantining, supervision
from app.services.publishing_later import push_due, work_on_decisions
from app.services.quarantines import QuarantineService
from tests.integration.core.publishing_site import Killed, Site, kill_at
from tests.integration.git_server import git

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
SPIKE = {"on_spike": "quarantine"}


def spike(site: Site) -> Run:
    """Let the tool collect something that is far from everything before."""
    site.backend.value = 5000
    run = site.run(**SPIKE)
    site.backend.value = 900
    return run


def decide(site: Site, owner: Identity, run: Run, decision: str, **wishes: bool) -> Run:
    """Decide about a run, and let the agent do what was decided."""
    getattr(QuarantineService(site.world.database), decision)(owner, run.id, **wishes)
    work_on_decisions(site.context)
    return site.row(run.id)


def branches(site: Site) -> str:
    return git("for-each-ref", "--format=%(refname:short)", "refs/heads/quarantine", cwd=site.tree)


def test_a_spike_stays_a_success_and_its_files_stay_out(site: Site) -> None:
    site.run()
    before = git("rev-parse", "main", cwd=site.origin.bare)
    run = spike(site)
    assert (run.status, (run.spike or {})["status"]) == ("SUCCEEDED", "spike")
    assert (run.quarantine_state, run.push_state, run.output_commit) == ("held", None, None)
    assert git("rev-parse", f"quarantine/{run.id}", cwd=site.tree) == run.quarantine_commit
    assert f"'maoctl dataset promote {run.id}'" in (run.report or {})["text"]
    assert not (site.tree / f"data-{run.id}.csv").exists()

    later = site.run(**SPIKE)
    assert ((later.spike or {})["status"], (later.spike or {})["snapshots"]) == ("ok", 5)
    assert site.runs_at(f"{before}..main") == [later.id]
    assert f"data-{run.id}.csv" not in site.files_at("main")


def test_the_files_of_a_failed_run_are_held_too(site: Site) -> None:
    site.backend.exit_code = 3
    run = site.run()
    assert (run.status, run.quarantine_state) == ("FAILED", "held")
    assert git("rev-parse", f"quarantine/{run.id}", cwd=site.tree) == run.quarantine_commit


def test_the_files_of_a_failed_run_become_data_only_by_force(site: Site, owner: Identity) -> None:
    site.backend.exit_code = 3
    run = site.run()
    with pytest.raises(WrongState, match=f"Run {run.id} is FAILED: its files may be half written") as refused:
        decide(site, owner, run, "promote")
    assert f"maoctl dataset promote {run.id} --force" in (refused.value.hint or "")
    assert site.row(run.id).quarantine_state == "held"
    assert decide(site, owner, run, "promote", is_forced=True).quarantine_state == "promoted"
    with pytest.raises(WrongState, match="they are promoted"):
        decide(site, owner, run, "promote")


@pytest.mark.parametrize("on_spike", ["quarantine", pytest.param("fail", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("owner_of", "name", "is_after"),
    [
        pytest.param(quarantining, "tool_of", False, marks=pytest.mark.long),
        pytest.param(finishing, "set_aside", False, marks=pytest.mark.long),
        pytest.param(clone_quarantine, "store", True, marks=pytest.mark.long),
        (clone_quarantine, "put_back", True),
        pytest.param(supervision, "record_final", False, marks=pytest.mark.long),
    ],
)
def test_a_kill_at_any_step_lets_no_anomalous_file_through(
    site: Site, monkeypatch: pytest.MonkeyPatch, on_spike: str, owner_of: Any, name: str, is_after: bool
) -> None:
    kill_at(monkeypatch, owner_of, name, is_after=is_after)
    site.backend.value = 5000
    run = site.run_through_a_kill(on_spike=on_spike)
    assert run.status == ("FAILED" if on_spike == "fail" else "SUCCEEDED")
    assert ((run.spike or {})["status"], run.quarantine_state) == ("spike", "held")
    assert git("show", f"{run.quarantine_commit}:data-{run.id}.csv", cwd=site.tree) == "ours"
    assert not (site.tree / f"data-{run.id}.csv").exists()
    assert site.workdirs.head("spike") == run.input_commit == git("rev-parse", "main", cwd=site.origin.bare)


def test_promoted_files_are_data_and_are_published_like_the_run(site: Site, owner: Identity) -> None:
    run = spike(site)
    site.origin.push({"theirs.csv": "1\n"})
    promoted = decide(site, owner, run, "promote")
    assert (promoted.quarantine_state, promoted.push_state) == ("promoted", "pushed")
    assert promoted.output_commit == git("rev-parse", "main", cwd=site.origin.bare)
    form = (
        "--format=%s %(trailers:key=Mao-Run,valueonly,separator=) %(trailers:key=Mao-Promoted-By,valueonly,separator=)"
    )
    assert git("log", "-1", form, "main", cwd=site.origin.bare).split()[2:] == [str(run.id), "olga"]
    assert {f"data-{run.id}.csv", "theirs.csv"} <= site.files_at("main")
    assert (site.tree / f"data-{run.id}.csv").exists()
    assert branches(site) == ""

    later = site.run(**SPIKE)
    assert (later.spike or {})["average"] == pytest.approx((900 + 5000) / 2)


def test_a_promotion_of_a_run_that_only_commits_is_not_pushed(site: Site, owner: Identity) -> None:
    site.backend.value = 5000
    run = site.run(publish="commit", **SPIKE)
    promoted = decide(site, owner, run, "promote")
    assert (promoted.quarantine_state, promoted.push_state) == ("promoted", None)
    assert site.workdirs.head("spike") == promoted.output_commit
    assert site.runs_at("main") == []


def test_discarded_files_are_gone(site: Site, owner: Identity) -> None:
    run = spike(site)
    discarded = decide(site, owner, run, "discard")
    assert (discarded.quarantine_state, discarded.quarantine_decided_by) == ("discarded", "olga")
    assert branches(site) == ""
    with pytest.raises(WrongState, match="not held any more: they are discarded"):
        QuarantineService(site.world.database).promote(owner, run.id)


def test_files_that_were_changed_since_are_not_promoted(site: Site, owner: Identity) -> None:
    run = spike(site)
    head = site.origin.push({f"data-{run.id}.csv": "theirs\n"})
    refused = decide(site, owner, run, "promote")
    assert refused.quarantine_state == "held"
    assert f"'data-{run.id}.csv' changed since" in (refused.quarantine_message or "")
    assert git("rev-parse", "main", cwd=site.origin.bare) == head == site.workdirs.head("spike")
    assert branches(site) == f"quarantine/{run.id}"
    assert decide(site, owner, run, "discard").quarantine_state == "discarded"


@pytest.mark.parametrize(
    ("owner_of", "name", "is_after"),
    [
        pytest.param(Workdirs, "promote", False, marks=pytest.mark.long),
        pytest.param(clone_remote, "fetched", True, marks=pytest.mark.long),
        pytest.param(clone_decisions, "forward", False, marks=pytest.mark.long),
        (clone_decisions, "forward", True),
        pytest.param(clone_decisions, "discard", True, marks=pytest.mark.long),
        (quarantine_work, "_settle", False),
        pytest.param(quarantine_work, "_settle", True, marks=pytest.mark.long),
        pytest.param(publishing_later, "push", False, marks=pytest.mark.long),
    ],
)
def test_a_kill_at_any_step_of_a_promotion_promotes_once(
    site: Site, owner: Identity, monkeypatch: pytest.MonkeyPatch, owner_of: Any, name: str, is_after: bool
) -> None:
    run = spike(site)
    QuarantineService(site.world.database).promote(owner, run.id)
    with monkeypatch.context() as deadly:
        kill_at(deadly, owner_of, name, is_after=is_after)
        with pytest.raises(Killed):
            work_on_decisions(site.context)
    work_on_decisions(site.context)
    site.let_pauses_end()
    push_due(site.context)
    promoted = site.row(run.id)
    assert (promoted.quarantine_state, promoted.push_state) == ("promoted", "pushed")
    assert site.runs_at("main") == [run.id]
    assert not site.workdirs.state("spike").has_uncommitted


def test_a_decision_waits_for_the_run_that_uses_the_clone(site: Site, owner: Identity) -> None:
    run = spike(site)
    site.backend.is_slow = True
    busy = site.add()
    site.dispatcher.step()
    site.world.until(busy, "RUNNING")  # type: ignore[arg-type]
    assert decide(site, owner, run, "promote").quarantine_state == "promoting"
    site.backend.end(next(iter(site.backend.things)), 0)
    site.world.until(busy, "SUCCEEDED")  # type: ignore[arg-type]
    work_on_decisions(site.context)
    assert site.row(run.id).quarantine_state == "promoted"


def test_only_what_is_held_can_be_decided_and_only_by_those_whom_it_concerns(
    site: Site, owner: Identity, stranger: Identity
) -> None:
    service = QuarantineService(site.world.database)
    good, held = site.run(), spike(site)
    with pytest.raises(WrongState, match=f"Nothing of run {good.id} is kept out"):
        service.discard(owner, good.id)
    with pytest.raises(NotFound):
        service.discard(stranger, held.id)
    assert service.promote(owner, held.id).quarantine_state == "promoting"
    with pytest.raises(WrongState, match="they are promoting"):
        service.discard(owner, held.id)
