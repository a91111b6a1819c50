"""Make text from elsewhere safe to show on a terminal.

A tool's output, a description or a server's message can hold sequences that move the cursor, change the title,
rewrite what was shown before or turn the reading direction. None of them reaches the terminal.
"""

from __future__ import annotations

import codecs
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


def clean_line(text: str) -> str:
    """Give ``text`` as one line without control characters."""
    return " ".join(clean(text).split())


class Decoder:
    """Turn a stream of bytes into clean text; a character cut in two by a piece's end stays whole."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes, *, is_last: bool = False) -> str:
        """Give the clean text of the next piece."""
        return clean(self._utf8.decode(data, is_last))
