"""A verification says who changed a file by the record of runs, and what a replay could not be given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models.run import FINAL, RunStatus
from app.models.token import Identity
from app.repositories.registry import Registry
from app.services.answering import Answering
from app.services.answers import ANSWERERS
from app.services.passports import PassportService
from app.services.questions import QuestionService
from app.services.replays import ReplayService
from app.services.verifications import VerificationService
from tests.integration.core.publishing_site import Collecting, Site


class Counting(Collecting):
    """A backend whose tools count their runs in a file that git ignores, and write the count into their data."""

    def start(self, handle: str) -> None:
        request = self.things[handle].request
        cache = Path(request.data_dir or "", "cache.tmp")
        count = int(cache.read_text()) + 1 if cache.exists() else 1
        cache.write_text(str(count))
        cache.with_name(f"count-{request.env['MAO_RUN_ID']}.csv").write_text(f"count\n{count}\n")
        super().start(handle)


@pytest.fixture
def verifications(site: Site) -> Iterator[VerificationService]:
    """Verifications by an agent that answers."""
    answering, is_over = Answering(site.context, ANSWERERS), threading.Event()

    def answer() -> None:
        while not is_over.wait(0.02):
            answering.work()

    agent = threading.Thread(target=answer)
    agent.start()
    database = site.world.database
    yield VerificationService(database, Registry(site.kv), QuestionService(database))
    is_over.set()
    agent.join()


def test_a_change_is_a_runs_only_where_the_record_says_so(
    site: Site, owner: Identity, verifications: VerificationService
) -> None:
    first = site.run()
    overwritten, collected = f"data-{first.id}.csv", f"control-{1000 + first.id}.csv"
    (site.tree / overwritten).write_text("forged\n")
    to_come = first.id + 1
    forged = site.workdirs.commit("spike", "sync", {"Mao-Node": "n\udcff"}, to_come)
    (site.tree / collected).write_text("901\n")
    second = site.run()
    changed = {change["path"]: change for change in verifications.verify(owner, first.id)["changed"]}
    shown = {path: (found["commit"], found["run"], found["is_recorded"]) for path, found in changed.items()}
    assert shown == {
        overwritten: (forged, str(to_come), False),
        collected: (second.output_commit, str(second.id), True),
    }


def test_files_that_git_ignores_are_noted_and_named_where_a_replay_differs(
    site: Site, owner: Identity, verifications: VerificationService
) -> None:
    site.world.backend = Counting(site.world._before)
    site.context, site.dispatcher = site._begin()
    site.origin.push({".gitignore": "*.tmp\n"}, "ignore")
    first, second = site.run(), site.run()
    passports = PassportService(site.world.database)
    found = [passports.get(owner, run.id)["input"] for run in (first, second)]
    assert [(part["is_uncommitted"], part["has_ignored_files"]) for part in found] == [(False, False), (False, True)]

    replay = ReplayService(site.world.database).replay(owner, second.id)
    site.dispatcher.step()
    assert site.world.until(replay, *FINAL).status == RunStatus.SUCCEEDED
    assert passports.get(owner, replay)["input"]["has_ignored_files"] is False
    answer = verifications.verify(owner, second.id)
    assert answer["is_identical"] is False
    assert answer["summary"].endswith("; the tool found files that git ignores, which a replay does not get.")
