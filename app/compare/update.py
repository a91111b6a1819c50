"""The lines of one file that are nowhere in another, as they are: what an update brought."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from app.compare.beginning import beginning_of
from app.compare.form import forms_of
from app.compare.options import Options
from app.compare.records import RecordReader
from app.compare.sources import Source


def new_lines(old: Source, new: Source, options: Options) -> Iterator[bytes]:
    """Give the records of ``new`` that are nowhere in ``old``, in their order, each with a line end.

    Records are compared by their bytes, without what ends the line; a quoted cell may go over several lines. The bytes
    are given as they are, also where a spreadsheet would take a cell for a formula: this is data to go on with.

    Raises:
        WrongUse: a column of the key is not in both files.
        TooLong: a line is longer than any record may be.
    """
    before, after = beginning_of(old), beginning_of(new)
    forms = forms_of(before, after, options)
    readers = (RecordReader(side.blocks(), form.delimiter) for side, form in zip((before, after), forms, strict=True))
    old_batches, new_batches = (reader.batches() for reader in readers)
    known = set(chain.from_iterable(old_batches))
    return (record + b"\n" for record in chain.from_iterable(new_batches) if record not in known)
