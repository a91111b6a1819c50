"""Print results in the four formats: a table for people; JSON, JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal import clean_line
from cli.times import parse_instant, show_instant

Json = dict[str, Any]

WIDE = 10_000
"""Columns of a table that goes to a file or pipe: wide enough that no cell is folded or cut."""

_LARGE = 1e15
"""Whole numbers below this are exact as floats, and short."""


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Printer:
    """Print to ``stream`` in the format ``form``."""

    def __init__(self, stream: TextIO, form: Format = Format.TABLE) -> None:
        self._stream = stream
        self.form = form

    def items(self, items: Iterable[Json], columns: Mapping[str, str]) -> None:
        """Print a list. ``columns`` maps the keys that tables and CSV show to a table's headings; JSON has all keys.

        CSV and JSON lines are written item by item, so that they can be longer than the memory.
        """
        match self.form:
            case Format.TABLE:
                rows = [[cell(item.get(key)) for key in columns] for item in items]
                self._table(rows, list(columns.values()))
            case Format.CSV:
                self._csv(items, list(columns))
            case Format.NDJSON:
                self._lines(items)
            case Format.JSON:
                self._json(list(items))

    def item(self, item: Json) -> None:
        """Print one thing; the table has a line for each key that has a value."""
        match self.form:
            case Format.TABLE:
                self._table([[key, cell(value)] for key, value in item.items() if value not in (None, "", [], {})])
            case Format.CSV:
                self._csv([item], list(item))
            case Format.NDJSON:
                self._lines([item])
            case Format.JSON:
                self._json(item)

    def message(self, text: str, item: Json) -> None:
        """Print a sentence for people, or the same as ``item`` for programs."""
        if self.form is Format.TABLE:
            self._stream.write(f"{clean_line(text)}\n")
        else:
            self.item(item)

    def _table(self, rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(headings), header_style="bold")
        for heading in headings or ("", ""):
            table.add_column(heading, overflow="fold")
        for row in rows:
            # A cell that is a Text and not a str is never read as rich's markup.
            table.add_row(*map(Text, row))
        console = Console(file=self._stream, width=None if self._stream.isatty() else WIDE)
        with console.capture() as captured:
            console.print(table)
        self._stream.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())

    def _csv(self, items: Iterable[Json], keys: Sequence[str]) -> None:
        self._stream.write(_csv_line(keys))
        self._stream.writelines(_csv_line([_csv_cell(item.get(key)) for key in keys]) for item in items)

    def _lines(self, items: Iterable[Json]) -> None:
        self._stream.writelines(f"{json.dumps(item)}\n" for item in items)

    def _json(self, value: object) -> None:
        self._stream.write(f"{json.dumps(value, indent=2)}\n")


def cell(value: object) -> str:
    """Give a value as one line for people; instants become ``2026-11-22 03:00 UTC``."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            at = parse_instant(value)
            return show_instant(at) if at else clean_line(value)
        case list():
            return ", ".join(map(cell, value))
        case dict():
            shown = {clean_line(str(key)): cell(inner) for key, inner in value.items() if inner is not None}
            return ", ".join(f"{key}={inner}" for key, inner in shown.items())
        case float():
            return _short(value)
        case _:
            return str(value)


def _short(value: float) -> str:
    """Give a count whole, and any other float with six significant digits, with an exponent where it is large."""
    return f"{value:.0f}" if abs(value) < _LARGE and value.is_integer() else f"{value:.6g}"


def _csv_line(cells: Iterable[str | int | float]) -> str:
    """Give a row that ends in a newline. Python's writer quotes a lone CR only while CR LF ends its rows."""
    row = io.StringIO()
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n") + "\n"


def _csv_cell(value: object) -> str | int | float:
    """Give a value as a CSV cell. Text that a spreadsheet would run as a formula gets a leading quote."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case str():
            return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
        case _:
            return json.dumps(value)
