"""The index of snapshots: what it tells of a clone, and that it is right whatever happens to clone and agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.errors import DatabaseDown, NotFound
from app.models.clone import CloneState
from app.models.snapshot import Listed
from app.repositories.clones import CloneRepository
from app.repositories.database import Session
from app.repositories.runs import RunRepository
from app.repositories.snapshots import SnapshotRepository
from app.repositories.workdirs import Workdirs
from app.services.agent_context import AgentContext
from app.services.snapshot_indexing import SnapshotIndexer
from app.services.snapshots import SnapshotService
from tests.integration.clones.sights import SETTINGS
from tests.integration.core.callers import Callers
from tests.integration.core.world import World
from tests.integration.git_server import git
from tests.integration.histories import Step, write_history


class Library:
    """A repository, its clone ``data``, and an agent that keeps the index."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.bare = folder / "data.git"
        self.workdirs = Workdirs(SETTINGS, folder / "clones")
        self.reader = SnapshotService(world.database)
        self.context = self.new_context()
        self.indexer = SnapshotIndexer(self.context)

    def new_context(self) -> AgentContext:
        return replace(self.world.begin()[0], workdirs=self.workdirs)

    def write(self, *steps: Step, onto: str = "", **options: str) -> str:
        return write_history(self.bare, steps, onto=onto, **options)

    def fetch(self) -> str:
        """Make or refresh the clone, and note its head as the agent does."""
        head = self.workdirs.clone("data", str(self.bare), "main")
        with self.world.database.transaction() as session:
            CloneRepository(session).note_head("data", str(self.bare), "main", head)
        return head

    def grow(self, *steps: Step) -> str:
        """Commit on top of what is there, refresh the clone and index it."""
        onto = git("rev-parse", "main", cwd=self.bare) if self.bare.exists() else ""
        self.write(*steps, onto=onto)
        head = self.fetch()
        self.indexer.work()
        return head

    def record(self, run: int, **columns: Any) -> None:
        """Note in a run's row which commit it made."""
        with self.world.database.transaction() as session:
            RunRepository(session).set(run, **columns)

    def shown(self, **wanted: Any) -> list[tuple[str, str, int, int | None, int | None]]:
        """Subject, label, files, rows and bytes of all snapshots."""
        listed = self.reader.list("data", wanted)
        return [(s.subject, s.label, s.files, s.rows, s.bytes) for s in (entry.snapshot for entry in listed)]

    def table(self) -> list[Mapping[str, Any]]:
        with self.world.database.transaction() as session:
            rows = session.execute(text("select * from snapshots order by position, label"))
            return [dict(row._mapping) for row in rows]


@pytest.fixture
def library(world: World, tmp_path: Path) -> Library:
    return Library(world, tmp_path)


def _overwritten(numbers: Iterable[int]) -> list[Step]:
    return [Step({"rows.csv": "a,b\n" * number}, f"step {number}") for number in numbers]


def test_a_scrapers_history_is_told_newest_first(library: Library) -> None:
    library.grow(*_overwritten([1, 2, 3]))
    assert library.shown() == [
        ("step 3", "", 1, 3, 12),
        ("step 2", "", 1, 2, 8),
        ("step 1", "", 1, 1, 4),
    ]
    listed = library.reader.list("data")[0]
    newest = listed.snapshot
    assert (listed.run_id, newest.node, newest.tool, newest.image, newest.control_metric) == (None,) * 5
    assert newest.dated_on == date(2025, 1, 1)
    assert library.reader.is_complete("data")


def test_each_date_in_a_commit_is_a_snapshot_of_its_own(library: Library) -> None:
    files = {f"spike-2019-9-{day}.csv": "x\n" * day for day in (28, 29)}
    library.grow(Step({**files, "README": "about"}, "import"), Step({"spike-2019-9-30.csv": "x", "README": "more"}))
    assert library.shown() == [
        ("data", "2019-09-30", 2, 2, 5),
        ("import", "2019-09-29", 1, 29, 58),
        ("import", "2019-09-28", 1, 28, 56),
        ("import", "", 1, 1, 5),
    ]
    assert library.shown(since=date(2019, 9, 29), until=date(2019, 9, 30)) == library.shown()[:2]


def test_a_retrieved_snapshot_has_the_history_up_to_its_commit(library: Library) -> None:
    then = library.grow(*_overwritten([1, 2]))
    library.grow(*_overwritten([3]))
    library.workdirs.clone_at("then", str(library.bare), then)
    with library.world.database.transaction() as session:
        state = CloneState.READY
        CloneRepository(session).put("then", url=str(library.bare), commit=then, head_commit=then, state=state)
    library.indexer.work()
    assert [listed.snapshot.subject for listed in library.reader.list("then")] == ["step 2", "step 1"]
    assert library.reader.is_complete("then")
    assert library.reader.resolve("then", "latest").commit == then


def test_what_is_no_text_has_no_rows_and_what_brings_nothing_is_not_listed(library: Library) -> None:
    library.grow(
        Step({"picture.png": b"\x89PNG\0\n\n"}, "binary"),
        Step({"picture.png": b"\0", "rows.csv": "a\nb"}, "both"),
        Step({"picture.png": None}, "only removed"),
        Step({}, "nothing"),
    )
    assert library.shown() == [("both", "", 2, 2, 4), ("binary", "", 1, None, 7)]
    assert library.reader.is_complete("data")


def test_a_merge_counts_as_what_it_brought_to_its_first_parent(library: Library) -> None:
    base = library.write(Step({"a.csv": "1\n"}, "base"))
    library.write(Step({"b.csv": "1\n2\n"}, "side 1"), Step({"c.csv": "1\n"}, "side 2"), onto=base, branch="side")
    library.write(Step({"a.csv": "2\n"}, "main"), onto=base)
    desk = library.bare.with_name("desk")
    git("clone", "-q", library.bare, desk, cwd=library.bare.parent)
    git("merge", "-q", "--no-ff", "-m", "merge", "origin/side", cwd=desk)
    git("push", "-q", "origin", "main", cwd=desk)
    library.fetch()
    library.indexer.work()
    assert library.shown() == [("merge", "", 2, 3, 6), ("main", "", 1, 1, 2), ("base", "", 1, 1, 2)]


def test_a_run_on_record_is_linked_with_its_verdict_and_what_a_commit_says_of_itself_links_nothing(
    library: Library,
) -> None:
    run = library.world.add(clone="data", spike={"status": "spike"})
    elsewhere = library.world.add(clone="other", spike={"status": "ok"})
    ours, theirs = (
        f"sync 2025-01-01\n\nMao-Run: {run}\nMao-Tool: spike\nMao-Image: sha256:2\nMao-Node: {node}\n"
        for node in ("n", "another")
    )
    made = library.grow(Step({"control-1.csv": "900\n"}, ours))
    forged = library.grow(
        Step({"control-2.csv": "value\n901.5\n"}, theirs), Step({"a.csv": "forged"}, ours.replace("sync", "forged"))
    )
    library.record(run, output_commit=made, original_commit=made)
    library.record(elsewhere, output_commit=forged, original_commit=forged)
    copied, newer, oldest = library.reader.list("data")
    assert (oldest.run_id, oldest.verdict, oldest.snapshot.control_metric) == (run, "spike", 900.0)
    assert (newer.run_id, newer.verdict, newer.snapshot.control_metric) == (None, None, 901.5)
    assert (newer.snapshot.node, newer.snapshot.tool, newer.snapshot.image) == ("another", "spike", "sha256:2")
    assert (copied.run_id, copied.verdict, copied.snapshot.node) == (None, None, "n")
    assert [row[0] for row in library.shown(run=run)] == ["sync 2025-01-01"]
    assert library.reader.resolve("data", f"run:{run}").commit == made


def test_a_run_is_linked_with_its_commit_as_it_was_made_and_as_a_push_made_it_anew(library: Library) -> None:
    run = library.world.add(clone="data", spike={"status": "ok"})
    head = library.grow(*_overwritten([1]))
    for columns in ({"output_commit": head, "original_commit": "1a"}, {"output_commit": "1a", "original_commit": head}):
        library.record(run, **columns)
        assert [(entry.run_id, entry.verdict) for entry in library.reader.list("data")] == [(run, "ok")]
        assert library.reader.resolve("data", f"run:{run}").commit == head


def test_a_run_that_is_not_there_or_brought_nothing_is_refused_with_the_reason(library: Library) -> None:
    run = library.world.add(clone="data", spike={"status": "ok"})
    head = library.grow(*_overwritten([1]))
    with pytest.raises(NotFound, match="There is no run 999"):
        library.shown(run=999)
    with pytest.raises(NotFound, match=f"Run {run} has brought no snapshot") as refused:
        library.shown(run=run)
    assert f"maoctl run get {run}" in (refused.value.hint or "")
    library.record(run, output_commit=head, original_commit=head)
    assert library.shown(run=run, since=date(2999, 1, 1)) == []
    library.write(*_overwritten([2]), onto=head)
    library.fetch()
    other = library.world.add(clone="data")
    assert library.shown(run=other) == [], "what is not read yet may still be of that run"


def test_what_strangers_write_into_a_commit_does_no_harm(library: Library) -> None:
    trailers = "Mao-Run: 99999999999999999999\nMao-Node: n\nMao-Tool: a\nMao-Tool: b\udcff\nMao-Image: \n"
    message = f"{'x' * 1000}\n\n{trailers}"
    library.grow(
        Step({"a:b\tc.csv": "1\n"}, message, at=2**62),
        Step({"rows.csv": b"\xff\xfe\n"}, ":000000 100644 0 1 A\n\nMao-Node: ../etc\udcff", at=0),
        Step({"rows.csv": "1\n"}, ""),
    )
    last, colon, long = (entry.snapshot for entry in library.reader.list("data"))
    assert (long.node, long.tool, len(long.subject)) == ("n", "a,b\ufffd", 200)
    assert (colon.subject, colon.node, colon.files, colon.dated_on) == (
        ":000000 100644 0 1 A",
        None,
        1,
        date(1970, 1, 1),
    )
    assert (last.subject, last.rows) == ("", 1)


def test_pages_go_through_commits_and_labels_without_a_gap(library: Library) -> None:
    dated = {f"spike-2019-09-{day:02}.csv": "x\n" for day in range(1, 8)}
    library.grow(*_overwritten(range(1, 6)), Step(dated, "import"), *_overwritten(range(6, 9)))
    everything = library.reader.list("data")
    paged: list[Listed] = []
    after = None
    while page := library.reader.list("data", after=after, limit=4):
        paged += page
        after = (page[-1].snapshot.position, page[-1].snapshot.label)
    assert [(e.snapshot.commit, e.snapshot.label) for e in paged] == [
        (e.snapshot.commit, e.snapshot.label) for e in everything
    ]
    assert len(paged) == 15


def test_only_new_commits_are_looked_at(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.grow(*_overwritten([1, 2, 3]))
    before = library.table()
    looked_at: list[str] = []
    add = SnapshotRepository.add

    def watched(self: SnapshotRepository, rows: list[dict[str, Any]]) -> None:
        looked_at.extend(row["subject"] for row in rows)
        add(self, rows)

    monkeypatch.setattr(SnapshotRepository, "add", watched)
    library.grow(*_overwritten([4, 5]))
    assert looked_at == ["step 5", "step 4"]
    assert library.table()[:3] == before
    library.indexer.work()
    assert looked_at == ["step 5", "step 4"]


def test_a_pass_that_is_cut_short_anywhere_goes_on_and_ends_right(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.snapshot_indexing._BATCH_COMMITS", 2)
    library.write(*_overwritten(range(1, 12)))
    library.fetch()
    add, calls = SnapshotRepository.add, 0

    def dying(self: SnapshotRepository, rows: list[dict[str, Any]]) -> None:
        nonlocal calls
        calls += 1
        add(self, rows)
        if calls % 2 == 0:
            raise DatabaseDown("The agent dies here.")

    with monkeypatch.context() as patch:
        patch.setattr(SnapshotRepository, "add", dying)
        for _ in range(4):
            with pytest.raises(DatabaseDown):
                library.indexer.work()
            assert not library.reader.is_complete("data")
    assert [row[0] for row in library.shown()] == [f"step {number}" for number in (11, 10, 9, 8, 7, 6, 5, 4)]
    SnapshotIndexer(library.new_context()).work()
    assert [row[0] for row in library.shown()] == [f"step {number}" for number in range(11, 0, -1)]
    assert library.reader.is_complete("data")


def test_commits_that_left_the_history_leave_the_index(library: Library) -> None:
    kept = library.write(*_overwritten([1, 2]))
    library.grow(*_overwritten([3, 4]))
    library.write(Step({"rows.csv": "new\n"}, "rewritten"), onto=kept)
    library.workdirs.remove("data", is_forced=True)
    library.fetch()
    assert not library.reader.is_complete("data")
    library.indexer.work()
    assert [row[0] for row in library.shown()] == ["rewritten", "step 2", "step 1"]
    library.write(*_overwritten([7]))
    library.workdirs.remove("data", is_forced=True)
    library.fetch()
    library.indexer.work()
    assert [row["subject"] for row in library.table()] == ["step 7"]


def test_a_remote_that_goes_back_to_what_was_indexed_is_indexed_anew(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = library.grow(*_overwritten([1, 2, 3]))
    library.write(*_overwritten([4, 5]))
    library.workdirs.remove("data", is_forced=True)
    library.fetch()

    def dying(self: SnapshotRepository, rows: list[dict[str, Any]]) -> None:
        raise DatabaseDown("The agent dies here.")

    with monkeypatch.context() as patch:
        patch.setattr(SnapshotRepository, "add", dying)
        with pytest.raises(DatabaseDown):
            library.indexer.work()
    git("update-ref", "refs/heads/main", before, cwd=library.bare)
    library.workdirs.remove("data", is_forced=True)
    assert library.fetch() == before
    assert not library.reader.is_complete("data")
    library.indexer.work()
    assert [row[0] for row in library.shown()] == ["step 3", "step 2", "step 1"]
    assert library.reader.is_complete("data")


def test_an_agent_that_looked_at_an_older_head_writes_nothing(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write(*_overwritten([1]))
    library.fetch()
    hold = SnapshotRepository.hold

    def moved_on(self: SnapshotRepository, wanted: Any) -> bool:
        session: Session = self._session
        session.execute(text("update clones set head_commit = 'newer' where name = 'data'"))
        return hold(self, wanted)

    monkeypatch.setattr(SnapshotRepository, "hold", moved_on)
    library.indexer.work()
    assert library.table() == []
    assert not library.reader.is_complete("data")


def test_a_clone_that_goes_takes_its_snapshots_along(library: Library) -> None:
    library.grow(*_overwritten([1, 2]))
    with library.world.database.transaction() as session:
        CloneRepository(session).remove("data")
    assert library.table() == []
    with pytest.raises(NotFound, match="no clone 'data'"):
        library.reader.list("data")


def test_a_clone_that_cannot_be_read_is_left_for_a_while_and_holds_up_no_other(library: Library) -> None:
    library.write(*_overwritten([1]))
    library.fetch()
    with library.world.database.transaction() as session:
        CloneRepository(session).note_head("a-broken", "file:///nowhere", None, "0" * 40)
    library.indexer.work()
    library.indexer.work()
    assert library.reader.is_complete("data")
    assert not library.reader.is_complete("a-broken")


def test_a_name_of_thousands_of_digits_is_a_name_like_any_other(library: Library) -> None:
    name = f"control-{'9' * 5000}.csv"
    library.grow(Step({name: "1\n"}, "long"), Step({name: None, "control-2020-01-01.csv": "2\n"}, "short"))
    assert library.reader.is_complete("data")
    assert {subject for subject, *_ in library.shown()} == {"long", "short"}


def test_a_fault_that_one_repository_shows_holds_up_no_other(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.write(*_overwritten([1]))
    library.fetch()
    history = library.workdirs.history
    with library.world.database.transaction() as session:
        CloneRepository(session).note_head("a-broken", "file:///nowhere", None, "0" * 40)
    # Of any other clone this raises what nobody expects there.
    monkeypatch.setattr(Workdirs, "history", lambda _, name: {"data": history}[name](name))
    library.indexer.work()
    assert library.reader.is_complete("data")
    assert not library.reader.is_complete("a-broken")


def test_a_repository_without_commits_has_no_snapshots_and_that_is_all(library: Library) -> None:
    git("init", "-q", "--bare", "--initial-branch=main", library.bare, cwd=library.bare.parent)
    library.workdirs.clone("data", str(library.bare))
    with library.world.database.transaction() as session:
        CloneRepository(session).note_head("data", str(library.bare), None, None)
    library.indexer.work()
    assert library.shown() == []
    assert library.reader.is_complete("data")


def test_every_token_reads_the_list_over_http(library: Library, callers: Callers) -> None:
    run = library.world.add(clone="data", spike={"status": "ok"})
    made = library.grow(Step({"control-1.csv": "900\n"}, "sync"))
    library.record(run, output_commit=made, original_commit=made)
    library.grow(*_overwritten([1, 2]))
    sven = callers.make("sven", [], "other-group")
    first = sven.get("/api/datasets/data/snapshots?limit=2").get_json()
    second = sven.get(f"/api/datasets/data/snapshots?limit=2&cursor={first['next']}").get_json()
    assert [item["subject"] for item in first["items"] + second["items"]] == ["step 2", "step 1", "sync"]
    assert (second["items"][0]["runId"], second["items"][0]["verdict"], second["isComplete"]) == (run, "ok", True)
    assert sven.get("/api/datasets/nosuch/snapshots").status_code == 404
