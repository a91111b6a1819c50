from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from app.compare import FileComparison, Options, Source, Status, compare_files
from app.compare.result import Difference
from tests.unit.compare.oracle import Expected, Row, expected


def compared(old: str | bytes, new: str | bytes, **options: object) -> FileComparison:
    old_bytes, new_bytes = (text.encode() if isinstance(text, str) else text for text in (old, new))
    return compare_files(Source("data.csv", old_bytes), Source("data.csv", new_bytes), Options(**options))  # type: ignore[arg-type]


def counts_of(result: FileComparison) -> tuple[int, int, int, int]:
    assert result.counts
    return (
        result.counts.added_rows,
        result.counts.removed_rows,
        result.counts.changed_rows,
        result.counts.changed_cells,
    )


# Against the plain way.

CELLS = st.text(alphabet='ab1,;"\n\r\t é=', max_size=4)
COLUMNS = ("id", "kind", "value", "note")


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two files with much in common: rows taken over, edited, doubled, moved; columns moved; both quoted oddly."""
    row = st.tuples(st.sampled_from("123"), st.sampled_from(["x", "y"]), CELLS, CELLS)
    old = draw(st.lists(row, max_size=8))
    taken = draw(st.lists(st.sampled_from(old), max_size=8)) if old else []
    new = [*taken, *draw(st.lists(row, max_size=3))]
    order = draw(st.permutations(range(len(COLUMNS))))
    places = order if draw(st.booleans()) else list(range(len(COLUMNS)))
    places = places[: draw(st.integers(2, 4))] if draw(st.booleans()) else places
    names = [COLUMNS[place] for place in places]
    return (
        written(draw, [COLUMNS, *old]),
        written(draw, [names, *([cells[place] for place in places] for cells in draw(st.permutations(new)))]),
    )


def written(draw: st.DrawFn, rows: Sequence[Sequence[str]]) -> str:
    end = draw(st.sampled_from(["\n", "\r\n"]))
    needs_quotes = draw(st.sampled_from(['[",\n\r]', '[", \n\r1=]', '^|"']))
    text = "".join(",".join(quoted(cell, needs_quotes) for cell in row) + end for row in rows)
    return text.removesuffix(end) if draw(st.booleans()) else text


def quoted(cell: str, needs_quotes: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if re.search(needs_quotes, cell) else cell


def found(result: FileComparison, columns: Sequence[str]) -> Expected:
    """Give what was found in the oracle's terms, without the changed rows: of them only some cells are told."""
    assert result.counts
    rows: dict[Status, Counter[Row]] = {status: Counter() for status in Status}
    for difference in result.differences:
        if difference.status is not Status.CHANGED:
            rows[difference.status][whole(difference, columns)] += 1
    return Expected(
        rows[Status.ADDED],
        rows[Status.REMOVED],
        Counter(),
        result.counts.changed_cells,
        result.counts.duplicate_keys,
    )


def whole(difference: Difference, columns: Sequence[str]) -> Row:
    assert [cell.column for cell in difference.cells] == list(columns)
    return tuple((cell.new if difference.status is Status.ADDED else cell.old) or "" for cell in difference.cells)


@settings(max_examples=500, deadline=None)
@given(pairs(), st.sampled_from([(), ("id",), ("id", "kind")]), st.sampled_from([0, 300, 1 << 20]))
def test_every_answer_is_that_of_a_plain_dictionary(pair: tuple[str, str], key: tuple[str, ...], memory: int) -> None:
    old, new = pair
    shared = [name for name in COLUMNS if name in next(csv.reader(io.StringIO(new, newline="")))]
    key = key if set(key) <= set(shared) else ()
    plain = expected(old, new, key)

    result = compared(old, new, key=key, has_header=True, delimiter=",", memory_bytes=memory)

    assert result.counts
    assert found(result, shared) == plain._replace(changed=Counter())
    changes = [difference for difference in result.differences if difference.status is Status.CHANGED]
    plain_changes = [
        tuple((name, a, b) for name, a, b in zip(shared, *rows, strict=True) if a != b)
        for rows in plain.changed.elements()
    ]
    assert Counter(map(changed_cells, changes)) == Counter(plain_changes)
    assert result.counts.changed_rows == len(changes)


def changed_cells(change: Difference) -> tuple[tuple[str, str | None, str | None], ...]:
    return tuple((cell.column, cell.old, cell.new) for cell in change.cells)
