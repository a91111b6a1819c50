"""The two sides of a comparison of rows, brought into one layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from app.compare.beginning import Beginning
from app.compare.form import Form, column_name, key_positions
from app.compare.matching import Row
from app.compare.records import RecordReader, cells_of, first_cells_of, record_of
from app.compare.result import Problem, Schema

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How rows of both sides are compared: by these columns, in the old side's order."""

    delimiter: str
    columns: tuple[str, ...]
    key: tuple[int, ...]
    schema: Schema

    def cells_of(self, record: bytes) -> Cells:
        """Give the cells of a row, as many as there are columns, and more only where they are not empty."""
        return self.cells_and_width(record)[0]

    def cells_and_width(self, record: bytes) -> tuple[Cells, int]:
        """Give the cells as ``cells_of`` does, and how many there really were."""
        cells, width = cells_of(record, self.delimiter), len(self.columns)
        found = len(cells)
        if found == width:
            return tuple(cells), found
        while len(cells) > width and not cells[-1]:
            cells.pop()
        return (*cells, *("" for _ in range(width - len(cells)))), found

    def key_of(self, record: bytes) -> Cells | bytes:
        """Give what says which row this is: the key's cells, or all of them, written in one way."""
        if not self.key:
            return record_of(self.cells_of(record), self.delimiter)
        # The cells behind the key are left in one piece: with rows that all differ, this is most of the work.
        cells = first_cells_of(record, self.delimiter, max(self.key) + 1)
        return tuple([cells[place] if place < len(cells) else "" for place in self.key])

    def key_cells(self, cells: Cells) -> Cells:
        """Give the cells of the key; none where whole rows are compared."""
        return tuple(cells[place] for place in self.key)

    def name_of(self, place: int) -> str:
        """Give the name of a column, also of one beyond the header."""
        return self.columns[place] if place < len(self.columns) else column_name(place + 1)


def layout_of(old: Form, new: Form, key: Sequence[str]) -> Layout:
    """Find what both sides share.

    Raises:
        WrongUse: a column of the key is not in both files.
    """
    if not (old.columns and new.columns):
        there = old if old.columns else new
        return Layout(there.delimiter, there.columns, key_positions(key, there.columns, is_empty_fine=True), Schema())
    shared = set(old.columns) & set(new.columns)
    common = tuple(name for name in old.columns if name in shared)
    schema = Schema(
        added=tuple(name for name in new.columns if name not in shared),
        removed=tuple(name for name in old.columns if name not in shared),
        is_reordered=common != tuple(name for name in new.columns if name in shared),
    )
    return Layout(old.delimiter, common, key_positions(key, common), schema)


@dataclass
class Ragged:
    """How many rows have another number of cells than there are columns, and the first of them."""

    count: int = 0
    first: int = 0

    def note(self, number: int) -> None:
        """Count one."""
        self.first = min(self.first or number, number)
        self.count += 1


@dataclass
class Side:
    """One file while it is read: its rows in the common layout, how many there were, and what was wrong."""

    name: str
    beginning: Beginning
    form: Form
    layout: Layout
    count: int = 0
    ragged: Ragged = field(default_factory=Ragged)
    _reader: RecordReader | None = None

    def rows(self) -> Iterator[Row]:
        """Give the data rows with their numbers; a header has number 1.

        Raises:
            TooLong: a line is longer than any record may be.
        """
        self._reader = RecordReader(self.beginning.blocks(), self.form.delimiter, self.name)
        records = enumerate(chain.from_iterable(self._counted(self._reader.batches())), 1)
        numbered: Iterator[Row] = islice(records, int(self.form.has_header), None)
        # No generator of ours around it: nearly every row passes here and nowhere else.
        return numbered if self._is_in_layout else self._rewritten(numbered)

    @property
    def problems(self) -> Iterator[Problem]:
        """Say what was wrong, after all rows have been read and looked at."""
        if self._reader and self._reader.broken_row:
            text = "A quoted cell does not end; from here on each line was read as a row."
            yield Problem(self.name, self._reader.broken_row, text)
        if self.ragged.count:
            text = f"Rows with more or fewer cells than columns, among those looked into: {self.ragged.count}."
            yield Problem(self.name, self.ragged.first, text)

    @property
    def _is_in_layout(self) -> bool:
        is_same = self.form.columns == self.layout.columns and self.form.delimiter == self.layout.delimiter
        return is_same or not self.form.columns

    def _counted(self, batches: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
        self.count = -int(self.form.has_header)
        for batch in batches:
            self.count += len(batch)
            yield batch

    def _rewritten(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Bring each row into the layout, so that equal rows are the same bytes again."""
        width = len(self.form.columns)
        place_of = {name: place for place, name in enumerate(self.form.columns)}
        places = [place_of[name] for name in self.layout.columns]
        for number, record in rows:
            cells = cells_of(record, self.form.delimiter)
            if len(cells) != width:
                self.ragged.note(number)
                cells += [""] * (width - len(cells))
            yield number, record_of([cells[place] for place in places] + cells[width:], self.layout.delimiter)
