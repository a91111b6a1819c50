"""Write a comparison as one HTML page that needs nothing else: no script, no image, no other file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from app.compare.result import CellChange, Comparison, Difference, FileComparison, Status
from app.compare.text import counts_line, cut_line, name_of, schema_lines, shown, summary

# The page says of itself that nothing in it may run or be loaded, should an escape ever be missing.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Comparison</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1a1a1a }
h2 { font-size: 1.1rem; margin-top: 2rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #ccc; padding: .25rem .5rem; text-align: left; vertical-align: top }
td { overflow-wrap: anywhere; white-space: pre-wrap }
ins { background: #d9f2d9; text-decoration: none }
del { background: #f9d6d5 }
.problem { color: #8a4b00 }
</style>
</head>
<body>
<h1>Comparison</h1>
"""


def as_html(comparison: Comparison) -> str:
    """Write the page; all that comes from the files is escaped."""
    changed = (file for file in comparison.files if file.status is not Status.IDENTICAL)
    body = "".join(line for file in changed for line in _file(file))
    return f"{_HEAD}<p>{escape(summary(comparison))}</p>\n{body}</body>\n</html>\n"


def _file(file: FileComparison) -> Iterator[str]:
    yield f"<h2>{escape(name_of(file))}: {file.status.value}</h2>\n"
    if file.counts:
        yield f"<p>{escape(counts_line(file.counts))}</p>\n"
    else:
        sizes = " before, ".join("none" if size is None else str(size) for size in (file.old_bytes, file.new_bytes))
        yield f"<p>Bytes: {sizes} now.</p>\n"
    for line in schema_lines(file.schema) if file.schema else ():
        yield f"<p>{escape(line)}</p>\n"
    for problem in file.problems:
        row = f", row {problem.row}" if problem.row else ""
        yield f'<p class="problem">{escape(f"{problem.side} file{row}: {shown(problem.text)}")}</p>\n'
    if file.differences:
        yield from _table(file.differences)
    if file.is_cut:
        yield f"<p>{cut_line(file)}</p>\n"


def _table(differences: Iterable[Difference]) -> Iterator[str]:
    headings = ("Change", "Row before", "Row now", "Key", "Cells")
    yield "<table>\n<tr>" + "".join(f"<th>{heading}</th>" for heading in headings) + "</tr>\n"
    for difference in differences:
        rows = ("" if row is None else str(row) for row in (difference.old_row, difference.new_row))
        texts = [difference.status.value, *rows, shown(", ".join(difference.key))]
        cells = "\n".join(map(_cell, difference.cells))
        yield "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + f"<td>{cells}</td></tr>\n"
    yield "</table>\n"


def _cell(cell: CellChange) -> str:
    old = "" if cell.old is None else f"<del>{escape(shown(cell.old))}</del> "
    new = "" if cell.new is None else f"<ins>{escape(shown(cell.new))}</ins>"
    return f"{escape(shown(cell.column))}: {old}{new}"
