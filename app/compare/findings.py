"""Pair the rows that only one side has, and count and keep what differs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from app.compare.matching import Row
from app.compare.result import MAX_CELLS, CellChange, Counts, Difference, Status
from app.compare.sides import Cells, Layout, Side

MAX_CELL_CHARACTERS = 500
Parsed = tuple[Cells, int]
Place = tuple[int, int]


class Findings:
    """Collects what differs between two sides: all counts, and the first ``limit`` differences by their rows.

    ``has_cut_rows`` says that some row has more cells that differ than are kept.
    """

    def __init__(self, layout: Layout, sides: tuple[Side, Side], limit: int) -> None:
        self._layout = layout
        self._sides = sides
        self._limit = limit
        self._added = self._removed = self._changed = self._cells = self._duplicates = 0
        self._kept: list[tuple[Place, Difference]] = []
        self._last: Place | None = None
        self.has_cut_rows = False

    def resolve(self, old: Iterable[Row], new: Iterable[Row]) -> None:
        """Pair the rows of one part and note what differs."""
        groups: dict[Cells | bytes, tuple[list[Row], list[Row]]] = {}
        for side, rows in enumerate((old, new)):
            for row in rows:
                groups.setdefault(self._layout.key_of(row[1]), ([], []))[side].append(row)
        for old_rows, new_rows in groups.values():
            self._resolve_key(self._parsed(0, old_rows), self._parsed(1, new_rows))

    def counts(self) -> Counts:
        """Give all counts."""
        old, new = self._sides
        return Counts(
            max(old.count, 0),
            max(new.count, 0),
            self._added,
            self._removed,
            self._changed,
            self._cells,
            self._duplicates,
        )

    def differences(self) -> tuple[Difference, ...]:
        """Give the first differences, by their row in the newer file, else in the older one."""
        self._cut()
        return tuple(difference for _, difference in self._kept)

    def _parsed(self, side: int, rows: list[Row]) -> list[Parsed]:
        parsed = []
        for number, record in rows:
            cells, width = self._layout.cells_and_width(record)
            if width != len(self._layout.columns):
                self._sides[side].ragged.note(number)
            parsed.append((cells, number))
        return sorted(parsed)

    def _resolve_key(self, old: list[Parsed], new: list[Parsed]) -> None:
        old, new = _without_equals(old, new)
        self._duplicates += len(old) > 1 or len(new) > 1
        # Without a key, rows that belong together are equal, and so nothing is left on one of the sides.
        for before, after in zip_longest(old, new):
            self._note(before, after)

    def _note(self, before: Parsed | None, after: Parsed | None) -> None:
        changed = _changed_places(before[0] if before else (), after[0] if after else ())
        if before and after:
            self._changed += 1
            self._cells += len(changed)
        elif after:
            self._added += 1
        else:
            self._removed += 1
        place = (after[1] if after else 0, before[1] if before else 0)
        place = place if after else (place[1], 0)
        if self._limit and (self._last is None or place < self._last):
            self._kept.append((place, self._difference(before, after, changed)))
            if len(self._kept) >= 2 * self._limit:
                self._cut()

    def _cut(self) -> None:
        self._kept.sort(key=lambda kept: kept[0])
        del self._kept[self._limit :]
        if len(self._kept) == self._limit and self._kept:
            self._last = self._kept[-1][0]

    def _difference(self, before: Parsed | None, after: Parsed | None, places: list[int]) -> Difference:
        status = Status.CHANGED if before and after else Status.ADDED if after else Status.REMOVED
        known = after or before
        assert known
        self.has_cut_rows |= len(places) > MAX_CELLS
        return Difference(
            status=status,
            key=tuple(_cut_short(cell) for cell in self._layout.key_cells(known[0])),
            old_row=before[1] if before else None,
            new_row=after[1] if after else None,
            cells=tuple(
                CellChange(self._layout.name_of(place), _cell(before, place), _cell(after, place))
                for place in places[:MAX_CELLS]
            ),
        )


def _without_equals(old: list[Parsed], new: list[Parsed]) -> tuple[list[Parsed], list[Parsed]]:
    """Give the rows that have no equal on the other side; both lists are ordered, and stay so."""
    left: tuple[list[Parsed], list[Parsed]] = ([], [])
    first = second = 0
    while first < len(old) and second < len(new):
        ours, theirs = old[first][0], new[second][0]
        if ours < theirs:
            left[0].append(old[first])
        elif theirs < ours:
            left[1].append(new[second])
        first += ours <= theirs
        second += theirs <= ours
    return left[0] + old[first:], left[1] + new[second:]


def _changed_places(old: Cells, new: Cells) -> list[int]:
    pairs = zip_longest(old, new, fillvalue="") if old and new else zip_longest(old, new)
    return [place for place, (before, after) in enumerate(pairs) if before != after]


def _cell(row: Parsed | None, place: int) -> str | None:
    if row is None:
        return None
    return _cut_short(row[0][place]) if place < len(row[0]) else ""


def _cut_short(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL_CHARACTERS else f"{cell[:MAX_CELL_CHARACTERS]}… ({len(cell)} characters)"
