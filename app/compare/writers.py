"""The forms in which a comparison is written, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.compare.page import as_html
from app.compare.result import Comparison
from app.compare.text import as_csv, as_json, as_text

WRITERS: Mapping[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}
