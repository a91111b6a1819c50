"""Which table a table is compared with."""

from __future__ import annotations

from app.repositories.clone_history import ChangedFile
from app.services.table_changes import with_predecessors


def _blobs_before(before: list[str], written: dict[str, str | None]) -> dict[str, str | None]:
    """Give path -> blob of the predecessor; blobs are called after their paths."""
    files = [ChangedFile(path, f"new {path}", blob) for path, blob in written.items()]
    return {
        table.path: table.blob_before for table in with_predecessors({path: f"old {path}" for path in before}, files)
    }


def test_a_table_that_was_there_is_compared_with_what_it_was() -> None:
    before = ["rows.csv", "rows-2026-01-01.csv", "rows-2026-01-02.csv"]
    assert _blobs_before(before, {"rows-2026-01-02.csv": "was"}) == {"rows-2026-01-02.csv": "was"}


def test_a_new_table_is_compared_with_the_newest_of_its_kind_before_it() -> None:
    before = ["rows-2026-1-9.csv", "rows-20260110.csv", "rows-2027-01-01.csv", "other-2026-01-11.csv"]
    assert _blobs_before(before, {"rows-2026-01-12.csv": None}) == {"rows-2026-01-12.csv": "old rows-20260110.csv"}


def test_of_several_new_tables_each_is_compared_with_the_one_before() -> None:
    written: dict[str, str | None] = {"a/rows-3.csv": None, "a/rows-2.csv": None}
    assert _blobs_before(["a/rows-1.csv"], written) == {
        "a/rows-3.csv": "new a/rows-2.csv",
        "a/rows-2.csv": "old a/rows-1.csv",
    }


def test_the_first_of_its_kind_control_files_and_what_holds_no_rows_are_left_out() -> None:
    assert _blobs_before(["rows.csv", "b/rows-1.csv"], {"rows-1.csv": None, "new.csv": None}) == {}
    assert _blobs_before(["control-1.csv", "a-1.json"], {"control-2.csv": None, "a-2.json": None, "a-3": None}) == {}
