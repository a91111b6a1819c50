r"""From bytes to records, and from a record to its cells.

A record is what stands on one line, or on several where a quoted cell holds line ends. A cell that begins with a quote
is quoted; two quotes within it are one; what follows the closing quote belongs to the cell. A quote elsewhere is a
character like any other. Line ends are ``\n`` with any ``\r`` before it, or ``\r`` alone in a file that begins so.
Blank lines are no records. So far, this is what Python's ``csv`` does; unlike it, nothing here is an error:

- A quoted cell that is not closed within ``MAX_RECORD_BYTES`` never was one: from there on, each line is a record.
- NUL is a character like any other.
- Each record is UTF-8 if it can be, else Windows-1252, else Latin-1. A byte order mark goes before that.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cache

MAX_RECORD_BYTES = 4 << 20
_QUOTE = b'"'


class TooLong(Exception):
    """A line is longer than any record may be: in the record ``row`` of the file that is called ``name``."""

    def __init__(self, name: str, row: int) -> None:
        super().__init__(name, row)
        self.name = name
        self.row = row


@cache
def _record_pattern(delimiter: bytes) -> re.Pattern[bytes]:
    # Possessive (`*+`), so that no input makes it try twice.
    other = b"[^" + re.escape(delimiter) + rb"\n]*+"
    quoted = rb'"[^"]*+(?:""[^"]*+)*+"' + other
    plain = rb'(?!")' + other
    cell = b"(?:" + quoted + b"|" + plain + b")"
    return re.compile(cell + b"(?:" + re.escape(delimiter) + cell + rb")*+\n")


def begins_with_record(data: bytes, delimiter: str) -> bool:
    """Tell whether the first record of ``data``, after blank lines, is there to its end."""
    return bool(_record_pattern(delimiter.encode()).match(data.lstrip(b"\r\n")))


class RecordReader:
    """Splits blocks of bytes into records; afterwards ``broken_row`` is the record with a quote that never ends.

    Where the blocks are the beginning of more (``has_end`` is false), what follows the last whole record is left out.
    """

    def __init__(self, blocks: Iterable[bytes], delimiter: str, name: str = "", *, has_end: bool = True) -> None:
        self._blocks = blocks
        self._name = name
        self._has_end = has_end
        self._record = _record_pattern(delimiter.encode()).match
        self._is_plain = False
        self._given = 0
        self.broken_row: int | None = None

    def batches(self) -> Iterator[list[bytes]]:
        """Give the records, many at a time.

        Raises:
            TooLong: a line is longer than ``MAX_RECORD_BYTES``.
        """
        rest = b""
        for block in self._blocks:
            records, rest = self._split(rest + block)
            yield self._counted(records)
            if len(rest) > MAX_RECORD_BYTES:
                rest = yield from self._given_up(rest)
        if rest and self._has_end:
            records, rest = self._split(rest if rest.endswith(b"\n") else rest + b"\n")
            yield self._counted(records)
            if rest:
                yield from self._given_up(rest)

    def _given_up(self, rest: bytes) -> Generator[list[bytes], None, bytes]:
        """Read ``rest`` line by line, and all that follows; give back what is not a whole line yet."""
        if b"\n" not in rest:
            raise TooLong(self._name, self._given + 1)
        self._is_plain = True
        self.broken_row = self._given + 1
        records, rest = self._split(rest)
        yield self._counted(records)
        return rest

    def _counted(self, records: list[bytes]) -> list[bytes]:
        self._given += len(records)
        return records

    def _split(self, data: bytes) -> tuple[list[bytes], bytes]:
        has_returns = b"\r" in data
        if self._is_plain or _QUOTE not in data:
            end = data.rfind(b"\n") + 1
            return _without_ends(data[:end].split(b"\n"), has_returns=has_returns), data[end:]
        found, position = [], 0
        while match := self._record(data, position):
            found.append(match.group()[:-1])
            position = match.end()
        return _without_ends(found, has_returns=has_returns), data[position:]


def _without_ends(lines: list[bytes], *, has_returns: bool) -> list[bytes]:
    return list(filter(None, [line.rstrip(b"\r") for line in lines] if has_returns else lines))


def text_of(record: bytes) -> str:
    """Decode one record."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return record.decode(encoding)
        except UnicodeDecodeError:
            continue
    return record.decode("latin-1")


def cells_of(record: bytes, delimiter: str) -> list[str]:
    """Give the cells of a record."""
    text = text_of(record)
    if '"' not in text:
        return text.split(delimiter)
    cells, position, is_open = [], 0, True
    while is_open:
        begin, position = position, _end_of_cell(text, position, delimiter)
        cells.append(_unquoted(text[begin:position]))
        is_open = position < len(text)
        position += 1
    return cells


def first_cells_of(record: bytes, delimiter: str, number: int) -> list[str]:
    """Give at least the first ``number`` cells of a record, or all where there are fewer; what follows is no cell."""
    if _QUOTE in record:
        return cells_of(record, delimiter)
    return text_of(record).split(delimiter, number)


_QUOTED = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"')


def _end_of_cell(text: str, begin: int, delimiter: str) -> int:
    quoted = _QUOTED.match(text, begin)
    end = text.find(delimiter, quoted.end() if quoted else begin)
    return end if end >= 0 else len(text)


def _unquoted(cell: str) -> str:
    quoted = _QUOTED.match(cell)
    return quoted[1].replace('""', '"') + cell[quoted.end() :] if quoted else cell


def record_of(cells: Sequence[str], delimiter: str) -> bytes:
    """Write cells as a record that ``cells_of`` reads back."""
    text = delimiter.join(cells)
    # Nearly every record needs no quotes, and to see that at once is far quicker than cell by cell.
    if '"' in text or "\n" in text or "\r" in text or text.count(delimiter) >= len(cells):
        text = delimiter.join(_quoted(cell, delimiter) for cell in cells)
    return text.encode("utf-8", "replace")


def _quoted(cell: str, delimiter: str) -> str:
    is_plain = not ('"' in cell or delimiter in cell or "\n" in cell or "\r" in cell)
    return cell if is_plain else '"' + cell.replace('"', '""') + '"'
