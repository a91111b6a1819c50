"""What form a file of rows has: its encoding, delimiter, line ends and header, found out from its beginning.

Whatever is not certain is decided for the plainer reading, and both sides of a comparison are looked at together, so
that a file is not read in one way today and in another tomorrow.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from app.compare.options import DELIMITERS, Options, WrongUse
from app.compare.records import RecordReader, TooLong, cells_of
from app.compare.sources import Source

BLOCK_BYTES = 1 << 18
_SAMPLE_BYTES = 1 << 16
_SAMPLE_ROWS = 50
# The longer marks first: the one of UTF-32 begins like the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_VALUE = re.compile(r"[-+]?[\d.,:/ %T-]*\d[\d.,:/ %Z+-]*([eE][-+]?\d+)?|true|false|null|none|nan", re.IGNORECASE)


@dataclass(frozen=True)
class Beginning:
    """The first part of a file: ``encoding`` is empty without a byte order mark, ``text`` is UTF-8."""

    source: Source
    encoding: str
    text: bytes

    @property
    def is_binary(self) -> bool:
        """Whether it looks like no text at all."""
        return b"\0" in self.text and not self.encoding

    @property
    def has_old_line_ends(self) -> bool:
        """Whether lines end with a carriage return alone."""
        return b"\r" in self.text and b"\n" not in self.text

    def blocks(self) -> Iterator[bytes]:
        """Give the whole file as UTF-8, or as it is where nothing says what it is, with usual line ends."""
        blocks = _transcoded(self.source.blocks(BLOCK_BYTES), self.encoding)
        return (block.replace(b"\r", b"\n") for block in blocks) if self.has_old_line_ends else blocks

    def sample(self, delimiter: str) -> list[list[str]]:
        """Give the cells of the first rows."""
        text = self.text.replace(b"\r", b"\n") if self.has_old_line_ends else self.text
        # The last line may be cut in two, if there is more to come.
        whole = text if self.source.length <= _SAMPLE_BYTES else text[: text.rfind(b"\n") + 1] or text
        try:
            records = [record for batch in RecordReader([whole], delimiter).batches() for record in batch]
        except TooLong:
            records = []
        return [cells_of(record, delimiter) for record in islice(records, _SAMPLE_ROWS)]


@dataclass(frozen=True)
class Form:
    """How one file is read. ``columns`` are unique names; without a header they are called by their numbers."""

    delimiter: str
    has_header: bool
    columns: tuple[str, ...]


def beginning_of(source: Source) -> Beginning:
    """Read the first part of a file."""
    first = next(iter(source.blocks(_SAMPLE_BYTES)), b"")
    encoding = next((name for mark, name in _MARKS if first.startswith(mark)), "")
    return Beginning(source, encoding, b"".join(_transcoded([first], encoding)))


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


def forms_of(old: Beginning, new: Beginning, options: Options) -> tuple[Form, Form]:
    """Find out how the two sides of a comparison are read.

    Raises:
        WrongUse: a column of the key is in neither header.
    """
    delimiters = _delimiters(old, new, options)
    samples = (old.sample(delimiters[0]), new.sample(delimiters[1]))
    has_header = options.has_header if options.has_header is not None else _have_header(samples, options.key)
    forms = [
        Form(delimiter, has_header and bool(sample), _columns(sample, has_header))
        for delimiter, sample in zip(delimiters, samples, strict=True)
    ]
    return forms[0], forms[1]


def _delimiters(old: Beginning, new: Beginning, options: Options) -> tuple[str, str]:
    if options.delimiter:
        return options.delimiter, options.delimiter
    found = _delimiter(old), _delimiter(new)
    # A side with one column, or with nothing, shows none: then it has the other's.
    return found[0] or found[1] or DELIMITERS[0], found[1] or found[0] or DELIMITERS[0]


def _delimiter(beginning: Beginning) -> str | None:
    best, most = None, (0.0, 0)
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in beginning.sample(delimiter))
        if not widths:
            return None
        width, rows = widths.most_common(1)[0]
        quality = (rows / widths.total(), width)
        if width > 1 and quality > most:
            best, most = delimiter, quality
    return best


def _have_header(samples: Sequence[list[list[str]]], key: Sequence[str]) -> bool:
    """Tell whether the first rows are names: the key's are among them, or they look so and what follows does not."""
    filled = [sample for sample in samples if sample]
    if not filled:
        return False
    if key and all(set(key) <= set(sample[0]) for sample in filled):
        return True
    if not all(_are_names(sample[0]) for sample in filled):
        return False
    is_same = len(filled) > 1 and set(filled[0][0]) == set(filled[1][0])
    return is_same or all(any(_VALUE.fullmatch(cell) for row in sample[1:] for cell in row) for sample in filled)


def _are_names(cells: Sequence[str]) -> bool:
    names = [cell.strip() for cell in cells]
    return all(names) and len(set(names)) == len(names) and not any(map(_VALUE.fullmatch, names))


def _columns(sample: list[list[str]], has_header: bool) -> tuple[str, ...]:
    first = sample[0] if sample else []
    unique: dict[str, None] = {}
    times: Counter[str] = Counter()
    for number, cell in enumerate(first, 1):
        name = wanted = (cell.strip() if has_header else "") or column_name(number)
        times[name] += 1
        while wanted in unique:
            wanted = f"{name} ({times[name]})"
            times[name] += wanted in unique
        unique[wanted] = None
    return tuple(unique)


def column_name(number: int) -> str:
    """Give the name of a column, counted from 1, that has none."""
    return f"column {number}"


def key_positions(key: Sequence[str], columns: Sequence[str], *, is_empty_fine: bool = False) -> tuple[int, ...]:
    """Find the columns of a key by their names, or by their numbers from 1 where no name fits.

    With ``is_empty_fine``, files without any column have every key.

    Raises:
        WrongUse: a column is not there.
    """
    positions: list[int] = []
    if is_empty_fine and not columns:
        return ()
    for name in key:
        if name in columns:
            positions.append(columns.index(name))
        elif name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= len(columns):
            positions.append(int(name) - 1)
        else:
            there = ", ".join(columns[:20]) or "none"
            raise WrongUse(f"There is no column '{name}' in both files; they share: {there}.")
    return tuple(positions)
