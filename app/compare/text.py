"""Write a comparison for a terminal, for a program, or for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

from app.compare.result import MAX_CELLS, Comparison, Counts, Difference, FileComparison, Schema, Status

_MARKS = {Status.ADDED: "+", Status.REMOVED: "-", Status.CHANGED: "~", Status.IDENTICAL: "="}
_COLUMNS = ("file", "change", "key", "old_row", "new_row", "column", "old", "new")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_SHOWN_CELLS = 12


def as_json(comparison: Comparison, *, is_ascii: bool = False) -> str:
    """Write everything as one JSON object; with ``is_ascii``, other characters are written as escapes."""
    return json.dumps(comparison.to_dict(), ensure_ascii=is_ascii, indent=2) + "\n"


def as_text(comparison: Comparison) -> str:
    """Write it for people; what a terminal would obey is written as an escape."""
    changed = [file for file in comparison.files if file.status is not Status.IDENTICAL]
    lines = [line for file in changed for line in (*_file_lines(file), "")]
    return "\n".join([*lines, summary(comparison)]) + "\n"


def summary(comparison: Comparison) -> str:
    """Say in one line what differs."""
    if comparison.is_identical:
        return f"Identical: {len(comparison.files)} file(s), {comparison.counts.new_rows} row(s)."
    files = ", ".join(f"{comparison.number_of(status)} {status.value}" for status in Status)
    cut = " Not all differences are shown." if comparison.is_cut else ""
    return f"Files: {files}. {counts_line(comparison.counts)}{cut}"


def counts_line(counts: Counts) -> str:
    """Say in one line how many rows differ."""
    duplicates = f" Keys of several differing rows: {counts.duplicate_keys}." if counts.duplicate_keys else ""
    return (
        f"Rows: {counts.old_rows} before, {counts.new_rows} now; {counts.added_rows} added, "
        f"{counts.removed_rows} removed, {counts.changed_rows} changed in {counts.changed_cells} cell(s).{duplicates}"
    )


def schema_lines(schema: Schema) -> Iterator[str]:
    """Say how the columns changed."""
    if schema.added:
        yield f"Columns added: {', '.join(map(shown, schema.added))}"
    if schema.removed:
        yield f"Columns removed: {', '.join(map(shown, schema.removed))}"
    if schema.is_reordered:
        yield "The columns stand in another order."


def cut_line(file: FileComparison) -> str:
    """Say what is shown of a file whose differences are not all there."""
    return f"Not all is shown: the first {len(file.differences)} differences, of each at most {MAX_CELLS} cells."


def name_of(file: FileComparison) -> str:
    """Give the path of a file, both where they differ."""
    names = [name for name in (file.old_path, file.new_path) if name]
    return " -> ".join(dict.fromkeys(map(shown, names)))


def shown(text: str) -> str:
    """Give a text in which nothing is hidden and nothing moves a cursor: what cannot be printed becomes an escape."""
    if text.isprintable():
        return text
    return "".join(part if part.isprintable() else part.encode("unicode_escape").decode() for part in text)


def _file_lines(file: FileComparison) -> Iterator[str]:
    yield f"{_MARKS[file.status]} {name_of(file)}: {file.status.value}"
    if file.counts is None:
        yield f"  Bytes: {_number(file.old_bytes)} before, {_number(file.new_bytes)} now."
    else:
        yield f"  {counts_line(file.counts)}"
    if file.schema:
        yield from (f"  {line}" for line in schema_lines(file.schema))
    for problem in file.problems:
        row = f", row {problem.row}" if problem.row else ""
        yield f"  ! {problem.side} file{row}: {shown(problem.text)}"
    yield from (f"  {line}" for difference in file.differences for line in _difference_lines(difference))
    if file.is_cut:
        yield f"  ... {cut_line(file)}"


def _difference_lines(difference: Difference) -> Iterator[str]:
    name = f", key {shown(', '.join(difference.key))}" if difference.key else ""
    head = f"{_MARKS[difference.status]} row {difference.new_row or difference.old_row}{name}"
    if difference.status is Status.CHANGED:
        changes = (f"{shown(cell.column)}: {_cell(cell.old)} -> {_cell(cell.new)}" for cell in difference.cells)
        yield f"{head}: {'; '.join(changes)}"
        return
    values = [_cell(cell.old if cell.new is None else cell.new) for cell in difference.cells]
    more = ", ..." if len(values) > _SHOWN_CELLS else ""
    yield f"{head}: {', '.join(values[:_SHOWN_CELLS])}{more}"


def _cell(text: str | None) -> str:
    return "" if text is None else '"' + shown(text).replace('"', '""') + '"'


def _number(number: int | None) -> str:
    return "none" if number is None else str(number)


def as_csv(comparison: Comparison) -> str:
    """Write one row for each cell that differs, after a header.

    Columns that came, went or moved have rows of their own, so that a file that differs has at least one, and so has a
    file of which not all is given (``cut``). A text that a spreadsheet would run as a formula gets an apostrophe before
    it, unless it is a number.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for file in comparison.files:
        if file.status is not Status.IDENTICAL:
            rows = list(_csv_rows(file)) or [(file.status.value, "", "", "", "", "", "")]
            writer.writerows([harmless(text) for text in (file.path, *row)] for row in rows)
    return written.getvalue()


def _csv_rows(file: FileComparison) -> Iterator[tuple[str, ...]]:
    schema = file.schema or Schema()
    yield from (("column added", "", "", "", name, "", "") for name in schema.added)
    yield from (("column removed", "", "", "", name, "", "") for name in schema.removed)
    if schema.is_reordered:
        yield ("columns moved", "", "", "", "", "", "")
    for difference in file.differences:
        yield from _cell_rows(difference)
    if file.is_cut:
        yield ("cut", "", "", "", "", "", "")


def _cell_rows(difference: Difference) -> Iterator[tuple[str, ...]]:
    rows = ("" if row is None else str(row) for row in (difference.old_row, difference.new_row))
    head = (difference.status.value, " / ".join(difference.key), *rows)
    for cell in difference.cells:
        yield (*head, cell.column, cell.old or "", cell.new or "")


def harmless(text: str) -> str:
    """Give a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
