"""A run's passport as a page for people: a heading for each part, a line for each thing that is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cli.client import Json
from cli.output import cell
from cli.terminal import clean_line

PARTS = {
    "tool": "Tool",
    "image": "Image",
    "place": "Where it ran",
    "startedWith": "Started with",
    "input": "Data before",
    "result": "Data after",
    "quarantine": "Kept out of the data",
    "detector": "Judged",
    "metrics": "Measured",
    "output": "Output",
}
_SEPARATE = ("runId", "attempts", *PARTS)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_INDENT = "  "


def page(passport: Json) -> Iterator[str]:
    """Give the lines of the page; what is not known has none."""
    yield f"Passport of run {passport.get('runId')}"
    yield from _rows({key: value for key, value in passport.items() if key not in _SEPARATE})
    for key, title in PARTS.items():
        if rows := list(_rows(passport.get(key) or {})):
            yield from ("", title, *rows)
    for attempt in passport.get("attempts") or []:
        yield from ("", f"Attempt {attempt.get('number')}, before the last one", *_rows(attempt))


def _rows(part: Mapping[str, Any]) -> Iterator[str]:
    rows = [(_label(key), cell(value)) for key, value in _flat(part) if value not in (None, "", [], {})]
    width = max((len(label) for label, _ in rows), default=0)
    yield from (f"{_INDENT}{label:<{width}}  {shown}".rstrip() for label, shown in rows)


def _flat(part: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give each thing with the way to it, in words."""
    for key, value in part.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key} ")
        else:
            yield f"{above}{key}", value


def _label(key: str) -> str:
    return clean_line(_WORDS.sub(" ", key).replace("_", " ").lower())
