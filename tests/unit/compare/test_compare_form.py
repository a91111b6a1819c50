"""What the header and the delimiter are, found out from the beginning of both files."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.compare import Counts, FileComparison, Options, Source, Status, compare_files
from app.compare.beginning import BLOCK_BYTES
from app.compare.records import MAX_RECORD_BYTES
from app.compare.result import Schema

WIDE = [f"measurement {number:05}" for number in range(6000)]


def compared(old: bytes, new: bytes, **options: object) -> FileComparison:
    return compare_files(Source("a.csv", old), Source("a.csv", new), Options(**options))  # type: ignore[arg-type]


def written(columns: Sequence[str], end: str = "\n", *, quote: str = "") -> bytes:
    """Write a file of 3 rows, in which each cell holds the number of its row."""
    rows = [columns, *([str(row)] * len(columns) for row in range(3))]
    return "".join(",".join(f"{quote}{cell}{quote}" for cell in row) + end for row in rows).encode()


@pytest.mark.parametrize(
    ("encoding", "end", "quote"),
    [("utf-8", "\n", ""), ("utf-8-sig", "\r\n", '"'), ("utf-16", "\r", ""), ("utf-32", "\n", "")],
)
def test_a_header_of_thousands_of_columns_is_read_to_its_end(encoding: str, end: str, quote: str) -> None:
    old, new = (
        written(columns, end, quote=quote).decode().encode(encoding)
        for columns in (["id", *WIDE], ["id", *WIDE[:-1], "renamed", "added"])
    )
    result = compared(old, new, key=("id",))
    assert result.schema == Schema(added=("renamed", "added"), removed=(WIDE[-1],))
    assert result.counts == Counts(old_rows=3, new_rows=3)
    assert result.problems == ()


def test_the_last_of_thousands_of_columns_can_be_the_key() -> None:
    old, new = written([*WIDE, "id"]), written([*WIDE, "id"]).replace(b"\n2,2,", b"\n2,x,")
    result = compared(old, new, key=("id",))
    assert result.counts
    assert (result.counts.changed_rows, result.counts.changed_cells) == (1, 1)


@pytest.mark.parametrize("length", [(1 << 16) + change for change in (-2, -1, 0, 1)])
def test_a_line_end_that_the_sample_cuts_in_two_is_one_line_end(length: int) -> None:
    header = b"id," + b"x" * (length - 4)
    old, new = header + b"\r\n1,a\r\n" * 9, header + b"\n1,a\n" * 9
    assert compared(old, new).status is Status.IDENTICAL


@pytest.mark.parametrize("length", [MAX_RECORD_BYTES + change for change in (-BLOCK_BYTES, 0, 2 * BLOCK_BYTES)])
def test_a_header_is_read_to_its_end_or_told_to_be_too_long(length: int) -> None:
    header = b"id," + b"x" * length + b",last"
    result = compared(header + b"\n1,2,3\n", header + b"d\n1,2,3\n", key=("id",))
    assert result.status is Status.CHANGED
    if result.counts is None:
        assert [(problem.side, problem.row) for problem in result.problems] == [("old", 1)]
    else:
        assert result.schema == Schema(added=("lastd",), removed=("last",))
    assert (result.counts is None) is (length > MAX_RECORD_BYTES)


NOTES = b"id,notes\n" + b"".join(b"%d,x;y\n" % row for row in range(60))


def test_other_delimiters_within_cells_do_not_win_on_one_side_only() -> None:
    result = compared(NOTES, NOTES.replace(b"\n3,x;y", b"\n3,x;y,z").replace(b"\n4,x;y", b"\n4,x;y,z"), key=("id",))
    assert result.schema == Schema()
    assert result.counts == Counts(60, 60, changed_rows=2, changed_cells=2)


def test_a_side_of_one_row_is_read_as_the_other_side_is() -> None:
    result = compared(NOTES, b"id,notes\n", key=("id",))
    assert result.counts == Counts(60, 0, removed_rows=60)
    result = compared(NOTES, b"id,notes;of;us\n", key=("id",))
    assert result.schema == Schema(added=("notes;of;us",), removed=("notes",))


def test_two_files_that_are_regular_have_their_own_delimiters() -> None:
    old = b"id,note\n" + b"".join(b"%d,x\n" % row for row in range(60))
    new = old.replace(b",", b";").replace(b"\n3;x", b"\n3;x,y")
    result = compared(old, new, key=("id",))
    assert result.counts == Counts(60, 60, changed_rows=1, changed_cells=1)
