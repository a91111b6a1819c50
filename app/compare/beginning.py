"""The beginning of a file of rows, as much as it takes to see how the file is to be read."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from app.compare.options import DELIMITERS
from app.compare.records import MAX_RECORD_BYTES, RecordReader, TooLong, begins_with_record, cells_of
from app.compare.sources import Source

BLOCK_BYTES = 1 << 18
_SAMPLE_BYTES = 1 << 16
# No record that a reader takes is longer than that: it looks at the length of what is left after each block.
_MOST_BYTES = MAX_RECORD_BYTES + 2 * BLOCK_BYTES
_SAMPLE_ROWS = 50
# The longer marks first: the one of UTF-32 begins like the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Beginning:
    """The first part of a file: ``encoding`` is empty without a byte order mark, ``text`` is UTF-8.

    ``text`` holds the first record to its end, however long the header is, unless no reader would take it.
    """

    source: Source
    encoding: str
    text: bytes
    is_whole_file: bool

    @property
    def is_binary(self) -> bool:
        """Whether it looks like no text at all."""
        return b"\0" in self.text and not self.encoding

    @property
    def has_old_line_ends(self) -> bool:
        """Whether lines end with a carriage return alone."""
        return _has_old_line_ends(self.text)

    def blocks(self) -> Iterator[bytes]:
        """Give the whole file as UTF-8, or as it is where nothing says what it is, with usual line ends."""
        blocks = _transcoded(self.source.blocks(BLOCK_BYTES), self.encoding)
        return (block.replace(b"\r", b"\n") for block in blocks) if self.has_old_line_ends else blocks

    def sample(self, delimiter: str) -> list[list[str]]:
        """Give the cells of the first rows; a row that is cut by the end of the sample is none of them."""
        text = _with_usual_ends(self.text)
        blocks = (text[begin : begin + BLOCK_BYTES] for begin in range(0, len(text), BLOCK_BYTES))
        records = chain.from_iterable(RecordReader(blocks, delimiter, has_end=self.is_whole_file).batches())
        try:
            return [cells_of(record, delimiter) for record in islice(records, _SAMPLE_ROWS)]
        except TooLong:
            return []


def beginning_of(source: Source) -> Beginning:
    """Read the first part of a file."""
    mark = next(iter(source.blocks(4)), b"")
    encoding = next((name for known, name in _MARKS if mark.startswith(known)), "")
    text, wanted = b"", _SAMPLE_BYTES
    for block in _transcoded(source.blocks(_SAMPLE_BYTES), encoding):
        # Before the next block is added, for a file that ends here is whole.
        if len(text) > _MOST_BYTES or (len(text) >= wanted and _has_first_record(text)):
            return Beginning(source, encoding, text, is_whole_file=False)
        # Twice as much each time, so that what was looked at in vain is not looked at again and again.
        wanted *= 1 + (len(text) >= wanted)
        text += block
    return Beginning(source, encoding, text, is_whole_file=True)


def _has_first_record(text: bytes) -> bool:
    usual = _with_usual_ends(text)
    return all(begins_with_record(usual, delimiter) for delimiter in DELIMITERS)


def _has_old_line_ends(text: bytes) -> bool:
    # The last byte may be the first half of a line end that the sample cuts in two.
    return b"\r" in text[:-1] and b"\n" not in text


def _with_usual_ends(text: bytes) -> bytes:
    return text.replace(b"\r", b"\n") if _has_old_line_ends(text) else text


def _transcoded(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if not encoding:
        yield from blocks
        return
    if encoding == "utf-8-sig":
        # Only the mark goes: what follows it may still be no UTF-8, and is then decoded record by record.
        for number, block in enumerate(blocks):
            yield block if number else block.removeprefix(codecs.BOM_UTF8)
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()
