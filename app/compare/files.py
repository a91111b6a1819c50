"""Compare files and lists of files: rows where both are tables, else bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from app.compare.beginning import beginning_of
from app.compare.options import Options, WrongUse
from app.compare.pairing import paired
from app.compare.records import TooLong
from app.compare.result import Comparison, FileComparison, Problem, Status, shown_path
from app.compare.sources import Source, of_place
from app.compare.tables import compare_tables

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".psv"})
SourcePair = tuple[Source | None, Source | None]
"""Two files that belong together; where one is None, the other was added or removed."""
_BLOCK_BYTES = 1 << 20
_NO_KEY = "The key is not in both headers; whole rows were compared. "


def compare_places(old: Path, new: Path, options: Options) -> Comparison:
    """Compare two files, or two folders with all that is below them.

    Raises:
        WrongUse: there is no such file or folder, one is a file and the other a folder, or a column of the key is
            missing from one of two files.
    """
    if old.is_dir() != new.is_dir() and old.exists() and new.exists():
        raise WrongUse("A file cannot be compared with a folder.")
    before, after = of_place(old), of_place(new)
    if new.is_file():
        return Comparison((compare_files(before[0], after[0], options),))
    return compare_lists(before, after, options)


def compare_lists(
    old: Sequence[Source], new: Sequence[Source], options: Options, *, by_pattern: bool = False
) -> Comparison:
    """Compare two lists of files.

    Files of the same path are compared with each other and, ``by_pattern``, those whose paths differ only in their
    numbers. A file that has not the columns of the key is compared by whole rows, and says so.
    """
    return compare_pairs(pairs_of(old, new, by_pattern=by_pattern), options)


def pairs_of(old: Sequence[Source], new: Sequence[Source], *, by_pattern: bool = False) -> list[SourcePair]:
    """Pair two lists of files by their paths, as ``paired`` does."""
    before, after = {file.path: file for file in old}, {file.path: file for file in new}
    found = paired(before, after, by_pattern=by_pattern)
    return [(before.get(pair.old or ""), after.get(pair.new or "")) for pair in found]


def compare_pairs(pairs: Iterable[SourcePair], options: Options) -> Comparison:
    """Compare files that are paired already."""
    results, left = [], options.limit
    for old, new in pairs:
        result = _compared(old, new, replace(options, limit=left))
        left -= len(result.differences)
        results.append(result)
    return Comparison(tuple(results))


def _compared(old: Source | None, new: Source | None, options: Options) -> FileComparison:
    try:
        return compare_files(old, new, options)
    except WrongUse as error:
        result = compare_files(old, new, replace(options, key=()))
        return replace(result, problems=(*result.problems, Problem("new", None, _NO_KEY + str(error))))


def compare_files(old: Source | None, new: Source | None, options: Options) -> FileComparison:
    """Compare one file with another; where one is None, all of the other was added or removed.

    Raises:
        WrongUse: a column of the key is not in both files.
    """
    known = new or old
    if known is None:
        raise WrongUse("There is nothing to compare.")
    before, after = old or Source(known.path, b""), new or Source(known.path, b"")
    result = _by_rows(before, after, options) if _is_table(before, after) else _by_bytes(before, after)
    return replace(
        result,
        status=result.status if old and new else Status.ADDED if new else Status.REMOVED,
        old_path=shown_path(old.path) if old else None,
        new_path=shown_path(new.path) if new else None,
        old_bytes=old.length if old else None,
        new_bytes=new.length if new else None,
    )


def _is_table(old: Source, new: Source) -> bool:
    return is_table_name(old.path) and is_table_name(new.path)


def is_table_name(path: str) -> bool:
    """Tell whether a file of this name is compared by rows."""
    return PurePosixPath(path).suffix.lower() in TABLE_SUFFIXES


def _by_rows(old: Source, new: Source, options: Options) -> FileComparison:
    before, after = beginning_of(old), beginning_of(new)
    for side, beginning in (("old", before), ("new", after)):
        if beginning.is_binary:
            return _by_bytes(old, new, Problem(side, 1, "This is no text; the bytes were compared."))
    try:
        return compare_tables(before, after, options)
    except TooLong as error:
        return _by_bytes(old, new, Problem(error.name, error.row, "The line is too long; the bytes were compared."))


def _by_bytes(old: Source, new: Source, *problems: Problem) -> FileComparison:
    is_same = old.length == new.length and all(
        ours == theirs for ours, theirs in zip_longest(old.blocks(_BLOCK_BYTES), new.blocks(_BLOCK_BYTES))
    )
    status = Status.IDENTICAL if is_same else Status.CHANGED
    return FileComparison(status, old.path, new.path, old.length, new.length, problems=problems)
