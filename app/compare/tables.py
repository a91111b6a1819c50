"""Compare two files of rows.

What the answers mean, once and for all:

- Columns are matched by name. Rows are compared by the columns that both sides have; what a side has in others is not
  looked at, and is told as a change of the schema. The order of columns and of rows is no difference between rows.
- A row that is too short is read as if its missing cells were empty; empty cells beyond the header are as good as none.
- Equal rows belong together, each once: with three equal rows before and two now, one was removed.
- With a key, rows of the same key that are left then belong together as well, and each such pair is a changed row.
  Where a side has several of them (a *duplicate key*), they are paired in the order of their cells' texts, so that the
  order of the rows does not matter. Rows that find no partner were added or removed.
- Without a key, every row that is left was added or removed. A duplicate key then is a row that is left several times.
- Cells are compared as text: ``1`` and ``1.0`` differ.
- Where one side has no record at all, there is no schema to compare.
"""

from __future__ import annotations

from app.compare import matching
from app.compare.beginning import Beginning
from app.compare.findings import Findings
from app.compare.form import forms_of
from app.compare.matching import Limits
from app.compare.options import Options
from app.compare.result import FileComparison, Status
from app.compare.sides import Side, layout_of


def compare_tables(old: Beginning, new: Beginning, options: Options) -> FileComparison:
    """Compare two files of rows.

    Raises:
        WrongUse: a column of the key is not in both files.
        TooLong: a line is longer than any record may be.
    """
    forms = forms_of(old, new, options)
    layout = layout_of(*forms, options.key)
    sides = Side("old", old, forms[0], layout), Side("new", new, forms[1], layout)
    findings = Findings(layout, sides, options.limit)
    limits = Limits(options.memory_bytes)
    for old_rows, new_rows in matching.unmatched(sides[0].rows(), sides[1].rows(), layout.key_of, limits):
        findings.resolve(old_rows, new_rows)
    counts, differences = findings.counts(), findings.differences()
    return FileComparison(
        status=Status.CHANGED if counts.is_changed or layout.schema.is_changed else Status.IDENTICAL,
        old_path=old.source.path,
        new_path=new.source.path,
        old_bytes=old.source.length,
        new_bytes=new.source.length,
        counts=counts,
        schema=layout.schema,
        key=tuple(layout.name_of(place) for place in layout.key),
        differences=differences,
        is_cut=findings.has_cut_rows
        or len(differences) < counts.added_rows + counts.removed_rows + counts.changed_rows,
        problems=(*sides[0].problems, *sides[1].problems),
    )
