"""Make text that files brought safe to show on a terminal, by the same rule as ``maoctl``."""

from __future__ import annotations

import re

# Whole escape sequences go first, so that a coloured word leaves the word and not "[31m" around it.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and its kin: titles, links, clipboard
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# Then every control character but newline and tab, and the marks that turn the direction of reading.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Give ``text`` without control characters; newlines and tabs stay."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text))
