"""From a commit to its snapshots."""

from __future__ import annotations

from datetime import UTC, date, datetime

from app.repositories.clone_history import BlobFacts, Change, ChangedFile
from app.services.snapshot_rows import by_label, snapshot_rows


def _files(*paths: str) -> list[ChangedFile]:
    return [ChangedFile(path, f"blob of {path}", None) for path in paths]


def _paths(*paths: str) -> dict[str, list[str]]:
    return {label: [file.path for file in files] for label, files in by_label(_files(*paths)).items()}


def test_one_date_is_the_label_of_all_files() -> None:
    assert _paths("data-2026-1-31.csv", "control-20260131.csv", "README") == {
        "2026-01-31": ["data-2026-1-31.csv", "control-20260131.csv", "README"]
    }


def test_several_dates_part_the_files() -> None:
    assert _paths("2026-01-30/a.csv", "README", "2026-01-31/a.csv", "2026-01-30/b.csv") == {
        "2026-01-30": ["2026-01-30/a.csv", "2026-01-30/b.csv"],
        "": ["README"],
        "2026-01-31": ["2026-01-31/a.csv"],
    }


def test_files_without_a_date_have_an_empty_label_and_so_have_no_files() -> None:
    assert _paths("rows.csv", "control-17.csv") == {"": ["rows.csv", "control-17.csv"]}
    assert _paths() == {"": []}


def _row(facts: dict[str, BlobFacts], **trailers: str) -> dict[str, object]:
    given = {f"Mao-{key}": value for key, value in trailers.items()}
    change = Change("c", datetime(2026, 1, 31, 23, tzinfo=UTC), "sync", given, _files(*facts))
    (row,) = snapshot_rows(change, {f"blob of {path}": fact for path, fact in facts.items()})
    return row


def test_the_newest_control_file_gives_the_metric() -> None:
    facts = {
        "control-9.csv": BlobFacts(2, 1, b"9\n"),
        "control-10.csv": BlobFacts(3, 1, b"10\n"),
        "old/control-11.csv": BlobFacts(3, 1),
    }
    assert _row(facts)["control_metric"] == 10.0
    assert _row({"control-1.csv": BlobFacts(3, 1, b"no\n")})["control_metric"] is None
    assert _row({"rows.csv": BlobFacts(3, 1)})["control_metric"] is None


def test_what_is_unknown_of_some_files_is_left_out_of_the_sums() -> None:
    row = _row({"a.csv": BlobFacts(4, 2), "b.png": BlobFacts(10, None), "not-here.csv": BlobFacts(None, None)})
    assert (row["files"], row["rows"], row["bytes"], row["dated_on"]) == (3, 2, 14, date(2026, 1, 31))
    unknown = _row({"not-here.csv": BlobFacts(None, None)})
    assert (unknown["rows"], unknown["bytes"]) == (None, None)


def test_what_a_commit_says_of_itself_makes_it_no_runs() -> None:
    facts = {"a.csv": BlobFacts(4, 2)}
    row = _row(facts, Run="17", Node="n", Tool="spike", Image="sha256:1")
    assert (row["node"], row["tool"], row["image"]) == ("n", "spike", "sha256:1")
    assert "run_id" not in row
    assert _row(facts, Run="17", Node="n,n")["node"] is None
    assert _row(facts)["tool"] is None
