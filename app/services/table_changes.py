"""How many rows and cells of the tables that a run wrote differ from the tables before them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from app.compare import Options
from app.compare.apart import Bounds, NotCompared, compare_apart
from app.compare.files import is_table_name
from app.errors import BackendFailed
from app.repositories.clone_history import ChangedFile, History
from app.services.blob_sources import blob_sources
from app.services.control_files import is_control_file
from app.services.dated_names import family, order_key

MOST_BYTES = 128 << 20
_LEAST_SECONDS = 0.1
_COUNTED = {
    "addedRows": "added_rows",
    "removedRows": "removed_rows",
    "changedRows": "changed_rows",
    "changedCells": "changed_cells",
}


class TooLarge(Exception):
    """The tables are larger than the limit."""


def table_changes(
    history: History,
    baseline: str,
    files: Iterable[ChangedFile],
    key: Sequence[str],
    end: float,
    *,
    most_bytes: int = MOST_BYTES,
) -> dict[str, float]:
    """Count the rows and cells that differ between the tables among ``files`` and those before them.

    ``baseline`` is the tree before; ``key`` the columns by which rows are told apart, none for whole rows; ``end`` what
    ``time.monotonic()`` is when it has taken too long. Nothing is counted where no table has one before it.

    Raises:
        TooLarge: the tables are larger than the limit.
        BackendFailed: they take too long, or are not all in the clone.
    """
    written = [file for file in files if _is_table(file.path)]
    is_any_new = any(file.blob_before is None for file in written)
    tables = with_predecessors(history.files(baseline) if is_any_new else {}, written)
    if not tables:
        return {}
    blobs = [blob for table in tables for blob in (table.blob_before or "", table.blob)]
    if sum(size or 0 for size in history.sizes(blobs).values()) > most_bytes:
        raise TooLarge(f"The tables have more than {most_bytes} bytes together.")
    with blob_sources(history, blobs, most_bytes) as sources:
        pairs = [
            (sources.source(table.path, table.blob_before or ""), sources.source(table.path, table.blob))
            for table in tables
        ]
        options = Options(key=tuple(key), limit=0)
        bounds = Bounds(seconds=max(end - time.monotonic(), _LEAST_SECONDS))
        try:
            counts = compare_apart(pairs, options, bounds=bounds, descriptors=(sources.descriptor,))["counts"]
        except NotCompared as error:
            raise BackendFailed(str(error)) from error
    return {name: float(counts[theirs]) for theirs, name in _COUNTED.items()}


def with_predecessors(before: Mapping[str, str], written: Iterable[ChangedFile]) -> list[ChangedFile]:
    """Give the tables among what was written, each with the blob of the one before it as ``blob_before``.

    That is the same path as it was; for a new path, of the files whose names differ only in dates and numbers, the
    newest before it. ``before`` has the other files, path -> blob. A table that is the first of its kind is left out,
    and so are control files, which hold a number about the rows.
    """
    tables = [file for file in written if _is_table(file.path)]
    blobs = {**before, **{table.path: table.blob for table in tables}}
    families: dict[str, list[str]] = {}
    for path in sorted(blobs, key=order_key):
        families.setdefault(family(path), []).append(path)
    older = {path: blobs[earlier] for paths in families.values() for earlier, path in pairwise(paths)}
    known = (replace(table, blob_before=table.blob_before or older.get(table.path)) for table in tables)
    return [table for table in known if table.blob_before]


def _is_table(path: str) -> bool:
    return is_table_name(path) and not is_control_file(path)
