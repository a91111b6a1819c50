"""References to snapshots: what is meant, and what is said where nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import Invalid, NotFound, StillWorking
from tests.integration.core.test_snapshots import Library
from tests.integration.core.world import World
from tests.integration.histories import Step


@pytest.fixture
def library(world: World, tmp_path: Path) -> Library:
    return Library(world, tmp_path)


@pytest.fixture
def run(library: Library) -> int:
    """A history of three commits, the middle one by this run; the oldest brought two dates and a file without any."""
    run = library.world.add(clone="data")
    library.grow(
        Step({"spike-2019-09-28.csv": "1\n", "spike-2019-09-29.csv": "1\n", "README": "x"}, "import"),
        Step({"spike-2019-10-02.csv": "1\n"}, "sync"),
        Step({"README": "y"}, "newest"),
    )
    made = library.reader.list("data")[1].snapshot.commit
    library.record(run, output_commit=made, original_commit=made)
    return run


def _meant(library: Library, reference: str) -> tuple[str, str]:
    found = library.reader.resolve("data", reference)
    return found.subject, found.label


def test_every_form_of_a_reference_finds_its_snapshot(library: Library, run: int) -> None:
    oldest = library.reader.list("data")[-1].snapshot.commit
    assert _meant(library, "latest") == ("newest", "")
    assert _meant(library, "previous") == ("sync", "2019-10-02")
    assert _meant(library, "2019-09-28") == ("import", "2019-09-28")
    assert _meant(library, "2025-01-01") == ("newest", "")
    assert _meant(library, f"run:{run}") == ("sync", "2019-10-02")
    assert _meant(library, oldest) == _meant(library, oldest[:7]) == _meant(library, f"{oldest}:") == ("import", "")
    assert _meant(library, f"{oldest[:12]}:2019-09-29") == ("import", "2019-09-29")


def test_what_is_not_there_names_the_nearest(library: Library, run: int) -> None:
    hints = {
        "2019-09-30": "The nearest are of 2019-09-29 and 2019-10-02.",
        "1999-01-01": "The nearest are of 2019-09-28.",
        "run:999999": f"The nearest are run:{run}.",
        "0000000": "The newest is ",
    }
    for reference, hint in hints.items():
        with pytest.raises(NotFound, match="has no snapshot") as caught:
            library.reader.resolve("data", reference)
        assert (caught.value.hint or "").startswith(hint)


def test_a_label_that_a_commit_does_not_have_names_those_that_it_has(library: Library, run: int) -> None:
    oldest = library.reader.list("data")[-1].snapshot.commit[:12]
    with pytest.raises(NotFound) as caught:
        library.reader.resolve("data", f"{oldest}:2019-09-27")
    assert caught.value.hint == f"This commit has {oldest}:2019-09-29, {oldest}:2019-09-28, {oldest}:."


def test_an_only_snapshot_has_none_before_it(library: Library) -> None:
    library.grow(Step({"rows.csv": "1\n"}))
    with pytest.raises(NotFound, match="one snapshot only"):
        library.reader.resolve("data", "previous")


def test_several_commits_with_one_beginning_are_told_apart_by_more_digits(library: Library, run: int) -> None:
    with library.world.database.transaction() as session:
        for end in "12":
            session.execute(
                text("""insert into snapshots select clone, 'abcdef0' || :end, label, position, committed_at, dated_on,
                        subject, files from snapshots where subject = 'newest' and commit not like 'abc%'"""),
                {"end": end},
            )
    with pytest.raises(Invalid, match="More than one commit"):
        library.reader.resolve("data", "abcdef0")
    assert _meant(library, "abcdef02") == ("newest", "")


def test_while_the_history_is_read_only_what_lasts_is_answered(library: Library, run: int) -> None:
    newest = library.reader.resolve("data", "latest").commit
    with library.world.database.transaction() as session:
        session.execute(text("update clones set head_commit = 'newer'"))
    for reference in ("latest", "previous", "2019-09-28", "run:999999", "0000000"):
        with pytest.raises(StillWorking):
            library.reader.resolve("data", reference)
    assert _meant(library, newest) == ("newest", "")
    assert _meant(library, f"run:{run}") == ("sync", "2019-10-02")


def test_a_clone_that_is_not_there_is_named_with_its_cure(library: Library, run: int) -> None:
    with pytest.raises(NotFound) as caught:
        library.reader.resolve("dat", "latest")
    assert caught.value.hint == "Did you mean 'data'?"
    with pytest.raises(NotFound) as caught:
        library.reader.resolve("something-else", "latest")
    assert caught.value.hint == "Clone it: maoctl dataset clone something-else"
