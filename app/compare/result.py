"""What a comparison finds: frozen values that know how to become JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

MAX_CELLS = 100
"""How many cells of one row are given at most."""


class Status(StrEnum):
    """What became of a file or a row."""

    IDENTICAL = "identical"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class CellChange:
    """One cell: its column, and its text before and after; None where there is no such row."""

    column: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Difference:
    """One row that was added, removed or changed.

    ``key`` is empty where whole rows are compared. Rows are counted from 1 with the header, without blank lines.
    ``cells`` are those that changed, or all of an added or removed row, ``MAX_CELLS`` of them at most.
    """

    status: Status
    key: tuple[str, ...]
    old_row: int | None
    new_row: int | None
    cells: tuple[CellChange, ...]


@dataclass(frozen=True)
class Schema:
    """How the columns changed; a column that was renamed is removed under one name and added under the other."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_reordered: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether there is any change."""
        return bool(self.added or self.removed or self.is_reordered)


@dataclass(frozen=True)
class Counts:
    """How many data rows each side has, and how many of them differ in which way.

    ``duplicate_keys`` are the keys that more than one differing row of a side has.
    """

    old_rows: int = 0
    new_rows: int = 0
    added_rows: int = 0
    removed_rows: int = 0
    changed_rows: int = 0
    changed_cells: int = 0
    duplicate_keys: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether any row differs."""
        return bool(self.added_rows or self.removed_rows or self.changed_rows)

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """Give the sum of several."""
        rows = [tuple(asdict(part).values()) for part in parts]
        return cls(*(sum(column) for column in zip(*rows, strict=True)))


@dataclass(frozen=True)
class Problem:
    """Something about a file that a reader should know. ``side`` is old or new, ``row`` as in ``Difference``."""

    side: str
    row: int | None
    text: str


@dataclass(frozen=True)
class FileComparison:
    """What became of one file; ``counts`` and ``schema`` are None where it was compared as bytes, not as rows.

    A path is None where the side has no such file. ``is_cut`` says that rows that differ, or cells of such a row, are
    left out.
    """

    status: Status
    old_path: str | None
    new_path: str | None
    old_bytes: int | None
    new_bytes: int | None
    counts: Counts | None = None
    schema: Schema | None = None
    key: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    is_cut: bool = False
    problems: tuple[Problem, ...] = field(default=())

    @property
    def path(self) -> str:
        """The path to show, the newer where there are two."""
        return self.new_path or self.old_path or ""


@dataclass(frozen=True)
class Comparison:
    """What became of two files, two folders or two lists of files.

    ``counts`` are of all files that were compared as rows. ``is_cut`` says that differences are left out.
    """

    files: tuple[FileComparison, ...]

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs: the same files with the same columns and rows (in any order) or the same bytes."""
        return all(file.status is Status.IDENTICAL for file in self.files)

    @property
    def is_cut(self) -> bool:
        """Whether some file's differences are not all there."""
        return any(file.is_cut for file in self.files)

    @property
    def counts(self) -> Counts:
        """The sum over all files."""
        return Counts.total(file.counts for file in self.files if file.counts)

    def number_of(self, status: Status) -> int:
        """Give how many files have a status."""
        return sum(file.status is status for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON-ready values, with names in camel case."""
        return {
            "isIdentical": self.is_identical,
            "isCut": self.is_cut,
            "counts": _camel(asdict(self.counts)),
            "fileCounts": {status.value: self.number_of(status) for status in Status},
            "files": [_camel(asdict(file)) for file in self.files],
        }


def shown_path(path: str) -> str:
    """Give a path as text that every encoder takes; bytes in it that are not UTF-8 become question marks."""
    return os.fsencode(path).decode("utf-8", "replace").replace("\ufffd", "?")


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel_name(name): _camel(part) for name, part in value.items()}
    return [_camel(part) for part in value] if isinstance(value, list | tuple) else value


def _camel_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
