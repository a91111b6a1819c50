"""Publishing by pushing: from the end of a run to the remote, the records and the index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from app.errors import RegistryDown
from app.models.dataset import Dataset
from app.models.index import IndexEntry
from app.repositories import clone_push
from app.repositories.clones import CloneRepository
from app.repositories.index import Index
from app.repositories.notifications import NotificationRepository
from app.repositories.registry import Registry
from app.repositories.workdirs import Workdirs
from app.services import publishing, supervision
from app.services.publishing_index import index_pushed
from app.services.publishing_later import push_due
from app.services.requests import run_date
from tests.integration.core.publishing_site import Site, kill_at
from tests.integration.git_server import git

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def meanwhile(site: Site, files: Callable[[], dict[str, str | bytes]]) -> None:
    """Let the repository's people push files while the tool is at work, once."""
    done: list[str] = []

    def push(call: str) -> None:
        if call == "start" and not done:
            done.append(site.origin.push(files(), "by hand"))

    site.world.rules.append(push)


def test_a_good_run_is_pushed_and_says_so(site: Site) -> None:
    run = site.run()
    assert (run.status, run.push_state, run.push_message, run.push_due_at) == ("SUCCEEDED", "pushed", None, None)
    assert git("rev-parse", "main", cwd=site.origin.bare) == run.output_commit == run.original_commit
    trailers = git("log", "-1", "--format=%(trailers:only,unfold)", "main", cwd=site.origin.bare)
    assert f"Mao-Run: {run.id}\nMao-Node: n\n" in trailers.replace("Mao-Tool: spike\nMao-Image: sha256:2\n", "")
    assert (run.report or {})["warnings"] == []


def test_on_a_remote_that_moved_the_run_has_the_commit_that_landed(site: Site) -> None:
    meanwhile(site, lambda: {"theirs.csv": "1\n"})
    run = site.run()
    assert run.push_state == "pushed"
    assert run.output_commit == git("rev-parse", "main", cwd=site.origin.bare) != run.original_commit
    assert {"theirs.csv", f"data-{run.id}.csv"} <= site.files_at("main")
    assert not (site.tree / "theirs.csv").exists()

    later = site.run()
    assert later.input_commit == run.output_commit
    assert (site.tree / "theirs.csv").exists()
    assert site.runs_at("main") == [run.id, later.id]


def test_a_conflict_is_told_and_later_runs_publish_as_usual(site: Site) -> None:
    first = site.run()
    meanwhile(site, lambda: {f"data-{first.id + 1}.csv": "theirs\n"})
    git("pull", "-q", cwd=site.origin.desk)
    run = site.run()
    branch = f"conflict/n/{run.id}"
    assert (run.status, run.push_state) == ("SUCCEEDED", "conflict")
    assert branch in (run.push_message or "")
    assert git("show", f"{branch}:data-{run.id}.csv", cwd=site.origin.bare) == "ours"
    assert git("show", f"main:data-{run.id}.csv", cwd=site.origin.bare) == "theirs"
    assert run.output_commit == git("rev-parse", branch, cwd=site.origin.bare)
    with site.world.database.transaction() as session:
        (told,) = [sent for sent in NotificationRepository(session).undelivered() if sent.kind == "conflict"]
    assert (told.run_id, told.values["branch"]) == (run.id, branch)

    with site.world.database.transaction() as session:
        assert CloneRepository(session).get("spike").head_commit == site.workdirs.head("spike") != run.output_commit

    later = site.run()
    assert later.push_state == "pushed"
    assert site.runs_at("main") == [first.id, later.id]
    assert (site.tree / f"data-{run.id}.csv").read_text() == "theirs\n"


def test_what_the_remote_did_not_take_is_committed_and_pushed_when_it_does(site: Site) -> None:
    first = site.run(publish="commit")
    assert first.push_state is None
    hook = site.origin.bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'No pushes on Sundays' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = site.run()
    assert (refused.status, refused.push_state, refused.push_failures) == ("SUCCEEDED", "refused", 1)
    assert "No pushes on Sundays" in (refused.push_message or "")
    assert refused.push_message in (refused.report or {})["warnings"]
    assert refused.push_due_at is not None
    assert refused.push_due_at > utc_now()

    site.let_pauses_end()
    push_due(site.context)
    assert site.row(refused.id).push_failures == 2
    hook.unlink()
    push_due(site.context)
    assert site.row(refused.id).push_state == "refused", "it was not due yet"
    site.let_pauses_end()
    push_due(site.context)
    assert [site.row(run.id).push_state for run in (first, refused)] == ["pushed", "pushed"]
    assert site.runs_at("main") == [first.id, refused.id]


def test_the_pauses_between_pushes_double_from_a_minute_to_an_hour() -> None:
    pauses = [publishing.pause_after(failures) / timedelta(minutes=1) for failures in (1, 2, 3, 6, 7, 1000)]
    assert pauses == [1, 2, 4, 32, 60, 60]


@pytest.mark.parametrize(
    ("owner", "name", "is_after"),
    [
        pytest.param(Workdirs, "commit", True, marks=pytest.mark.long),
        pytest.param(Workdirs, "publish", False, marks=pytest.mark.long),
        pytest.param(clone_push, "push", False, marks=pytest.mark.long),
        (clone_push, "push", True),
        pytest.param(Workdirs, "mark_published", False, marks=pytest.mark.long),
        pytest.param(Workdirs, "mark_published", True, marks=pytest.mark.long),
        pytest.param(supervision, "record_final", False, marks=pytest.mark.long),
    ],
)
def test_a_kill_at_any_step_publishes_the_run_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, is_after: bool
) -> None:
    meanwhile(site, lambda: {"theirs.csv": "1\n"})
    kill_at(monkeypatch, owner, name, is_after=is_after)
    run = site.run_through_a_kill()
    assert (run.status, run.push_state) == ("SUCCEEDED", "pushed")
    assert run.output_commit == git("rev-parse", "main", cwd=site.origin.bare)
    assert site.runs_at("main") == [run.id]
    assert (run.spike or {})["status"] == "ok"


def test_a_rewritten_remote_gets_the_new_commit_only_and_the_old_ones_are_kept(site: Site) -> None:
    removed = site.run()
    git("commit", "-q", "--amend", "-m", "rewritten", cwd=site.origin.desk)
    git("push", "-q", "--force", "origin", "HEAD", cwd=site.origin.desk)
    run = site.run()
    assert "was rewritten at the remote" in run.warnings[0]
    assert run.push_state == "pushed"
    assert site.runs_at("main") == [run.id]
    backup = git("for-each-ref", "--format=%(refname:short)", "refs/heads/backup", cwd=site.tree)
    assert backup == f"backup/{utc_now().date()}"
    assert removed.output_commit in git("log", "--format=%H", backup, cwd=site.tree).split()
    assert site.run().warnings == []
    assert f"data-{removed.id}.csv" not in site.files_at("main")


def test_a_branch_that_vanished_is_not_made_again(site: Site) -> None:
    first = site.run()
    git("branch", "-m", "main", "attic", cwd=site.origin.bare)
    run = site.run()
    assert run.push_state == "refused"
    assert "has no branch 'main' any more" in (run.push_message or "")
    assert git("for-each-ref", "--format=%(refname:short)", cwd=site.origin.bare) == "attic"
    assert site.runs_at("attic") == [first.id]


def test_what_was_pushed_is_in_the_index_as_soon_as_etcd_is_there(site: Site) -> None:
    Registry(site.kv).add_dataset(Dataset("spike", str(site.origin.bare), hub="dockerhub"))
    index = Index(site.kv)
    run = site.run(hub="of-the-tool")
    site.kv.is_down = True
    with pytest.raises(RegistryDown):
        index_pushed(site.context, index)
    assert site.row(run.id).indexed_at is None
    site.kv.is_down = False
    index_pushed(site.context, index)
    operator = index.operators("dockerhub", run_date(run))[0]
    entry = IndexEntry(
        "dockerhub", run_date(run), operator, "spike", str(site.origin.bare), run.output_commit or "", run.id
    )
    assert index.entries("dockerhub", run_date(run), operator) == [entry]
    assert site.row(run.id).indexed_at is not None


def test_without_a_hub_of_its_data_set_the_tool_names_it_and_else_it_is_unsorted(site: Site) -> None:
    index = Index(site.kv)
    site.run(hub="of-the-tool")
    site.run()
    index_pushed(site.context, index)
    assert index.hubs() == ["of-the-tool", "unsorted"]
