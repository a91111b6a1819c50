"""The plain way to compare two files of rows: Python's csv module, a dictionary, everything in memory."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

Row = tuple[str, ...]


class Expected(NamedTuple):
    added: Counter[Row]
    removed: Counter[Row]
    changed: Counter[tuple[Row, Row]]
    changed_cells: int
    duplicate_keys: int


def expected(old: str, new: str, key: Sequence[str]) -> Expected:
    """Compare two texts with headers by the columns that both have."""
    old_names, old_rows = _read(old)
    new_names, new_rows = _read(new)
    columns = [name for name in old_names if name in new_names]
    ours = Counter(tuple(row[name] for name in columns) for row in old_rows)
    theirs = Counter(tuple(row[name] for name in columns) for row in new_rows)
    places = [columns.index(name) for name in key] or range(len(columns))
    groups: dict[Row, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((ours - theirs, theirs - ours)):
        for row in sorted(rows.elements()):
            groups[tuple(row[place] for place in places)][side].append(row)
    result = Expected(Counter(), Counter(), Counter(), 0, sum(len(a) > 1 or len(b) > 1 for a, b in groups.values()))
    cells = 0
    for pair in (pair for group in groups.values() for pair in zip_longest(*group)):
        before, after = pair
        if before and after:
            result.changed[before, after] += 1
            cells += sum(a != b for a, b in zip(before, after, strict=True))
        elif after:
            result.added[after] += 1
        else:
            result.removed[before] += 1
    return result._replace(changed_cells=cells)


def _read(text: str) -> tuple[list[str], list[dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    rows = list(reader)
    return list(reader.fieldnames or ()), rows
