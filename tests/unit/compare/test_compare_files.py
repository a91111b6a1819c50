from __future__ import annotations

from pathlib import Path

import pytest

from app.compare import Comparison, Options, Source, Status, WrongUse, compare_files, compare_lists, compare_places
from app.compare.pairing import Pair, paired
from app.compare.result import Schema
from app.compare.writers import WRITERS


def compared(old: str, new: str, **options: object) -> Comparison:
    old_source, new_source = Source("a.csv", old.encode()), Source("a.csv", new.encode())
    return Comparison((compare_files(old_source, new_source, Options(**options)),))  # type: ignore[arg-type]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old", tmp_path / "new"
    for path, text in {
        old / "same.csv": "id\n1\n",
        old / "sub" / "rows.csv": "id,n\n1,a\n",
        old / "gone.csv": "id\n1\n",
        old / "picture.png": "abc",
        new / "same.csv": "id\n1\n",
        new / "sub" / "rows.csv": "id,n\n1,b\n",
        new / "picture.png": "abd",
        new / "new.csv": "id\n1\n2\n",
        new / ".git" / "config": "private",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (new / "link.csv").symlink_to("/etc/passwd")
    return old, new


def test_folders_are_compared_file_by_file(folders: tuple[Path, Path]) -> None:
    result = compare_places(*folders, Options(key=("id",)))
    assert {file.path: file.status for file in result.files} == {
        "same.csv": Status.IDENTICAL,
        "sub/rows.csv": Status.CHANGED,
        "picture.png": Status.CHANGED,
        "new.csv": Status.ADDED,
        "gone.csv": Status.REMOVED,
    }
    counts = result.counts
    assert (counts.added_rows, counts.removed_rows, counts.changed_rows) == (2, 1, 1)


def test_a_file_and_a_folder_are_not_compared(folders: tuple[Path, Path]) -> None:
    with pytest.raises(WrongUse, match="folder"):
        compare_places(folders[0], folders[1] / "same.csv", Options())
    with pytest.raises(WrongUse, match="no file or folder"):
        compare_places(folders[0], folders[1] / "nothing", Options())


def test_a_key_that_two_files_do_not_share_is_refused() -> None:
    with pytest.raises(WrongUse, match="no column 'id'"):
        compared("id,n\n1,2\n", "no,n\n1,2\n", key=("id",))


def test_a_key_column_can_be_named_by_its_number() -> None:
    assert compared("1,a\n2,b\n", "2,c\n1,a\n", key=("1",)).counts.changed_cells == 1


def test_columns_that_came_went_and_moved_are_a_change_of_the_schema() -> None:
    (file,) = compared("id,a,b\n1,2,3\n", "b,id,c\n3,1,4\n", key=("id",)).files
    assert file.schema == Schema(added=("c",), removed=("a",), is_reordered=True)
    assert file.counts is not None
    assert not file.counts.is_changed
    assert file.status is Status.CHANGED


def test_rows_that_only_moved_are_no_difference() -> None:
    assert compared("id,n\n1,a\n2,b\n", "id,n\n2,b\n1,a\n").is_identical


def test_a_first_row_of_values_is_no_header() -> None:
    assert compared("1,a\n2,b\n", "1,a\n3,b\n").counts.old_rows == 2
    assert compared("id,n\n1,a\n", "id,n\n2,b\n").counts.old_rows == 1
    assert compared("id,n\n1,a\n", "id,n\n2,b\n", has_header=False).counts.old_rows == 2


def test_only_so_many_differences_are_kept_and_the_first_ones() -> None:
    rows = "".join(f"{number}\n" for number in range(100))
    result = compared("id\n", "id\n" + rows, limit=3)
    assert result.is_cut
    assert result.counts.added_rows == 100
    assert [difference.new_row for difference in result.files[0].differences] == [2, 3, 4]


def test_the_limit_is_for_all_files_together() -> None:
    files = [Source(f"{name}.csv", b"id\n1\n2\n") for name in "ab"]
    result = compare_lists([], files, Options(limit=3))
    assert [len(file.differences) for file in result.files] == [2, 1]


def test_files_whose_names_differ_in_their_numbers_belong_together_if_wished() -> None:
    old, new = ["data-2019-9-29.csv", "same.csv", "a-1.csv"], ["data-2019-10-02.csv", "same.csv", "a-9.csv", "a-10.csv"]
    assert paired(old, new, by_pattern=True) == [
        Pair(None, "a-9.csv"),
        Pair("a-1.csv", "a-10.csv"),
        Pair("data-2019-9-29.csv", "data-2019-10-02.csv"),
        Pair("same.csv", "same.csv"),
    ]
    assert Pair("a-1.csv", None) in paired(old, new)


def test_cells_that_are_left_out_are_told() -> None:
    for columns, is_cut in ((100, False), (101, True)):
        header = ",".join(["id", *(f"c{number}" for number in range(columns))])
        result = compared(f"{header}\n1{',a' * columns}\n", f"{header}\n1{',b' * columns}\n", key=("id",))
        assert result.counts.changed_cells == columns
        assert len(result.files[0].differences[0].cells) == 100
        assert result.is_cut is is_cut
        assert ("Not all is shown" in WRITERS["text"](result)) is is_cut
        assert ("Not all is shown" in WRITERS["html"](result)) is is_cut
        assert ("\na.csv,cut,,,,,,\n" in WRITERS["csv"](result)) is is_cut


def test_csv_has_a_row_for_each_change_of_the_columns() -> None:
    written = WRITERS["csv"](compared("id,a,b\n1,2,3\n", "b,id,=c\n3,1,4\n", key=("id",)))
    assert written.splitlines()[1:] == [
        "a.csv,column added,,,,'=c,,",
        "a.csv,column removed,,,,a,,",
        "a.csv,columns moved,,,,,,",
    ]


def test_csv_has_a_row_for_each_file_that_differs() -> None:
    empty, header, rows = (Source("a.csv", content) for content in (b"", b"id,n\n", b"id,n\n1,a\n"))
    for old, new, change in (
        (None, empty, "added"),
        (header, None, "removed"),
        (rows, rows, ""),
        (header, rows, "added"),
    ):
        written = WRITERS["csv"](Comparison((compare_files(old, new, Options()),)))
        assert {line.split(",")[1] for line in written.splitlines()[1:]} == ({change} if change else set())


NASTY = "id,n\n1,<script>alert(1)</script>\n2,=cmd()\n3,\x1b[2J\n4,-5\n"


def test_html_holds_nothing_that_a_file_brought_unescaped() -> None:
    page = WRITERS["html"](compared("id,n\n", NASTY))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page


def test_csv_holds_no_formula_and_leaves_numbers_alone() -> None:
    lines = WRITERS["csv"](compared("id,n\n", NASTY)).splitlines()
    assert "a.csv,added,,,3,n,,'=cmd()" in lines
    assert "a.csv,added,,,5,n,,-5" in lines


def test_text_holds_nothing_that_a_terminal_obeys() -> None:
    text = WRITERS["text"](compared("id,n\n", NASTY))
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


def test_a_very_long_cell_is_cut_short_in_the_answer() -> None:
    (file,) = compared("id,n\n1,a\n", f"id,n\n1,{'x' * 10_000}\n", key=("id",)).files
    new = file.differences[0].cells[0].new
    assert new
    assert len(new) < 1000
    assert new.endswith("(10000 characters)")
