"""How far git has come. Pure: what git prints while it works goes in, a percentage comes out."""

from __future__ import annotations

import re
from collections.abc import Callable

Progress = Callable[[int, str], None]
"""Called with how much of the whole is done, 0 to 100, and the name of the present step."""

# What git calls a step, what we call it, and which part of the whole (in percent) it stands for. The parts are a guess;
# what matters is that the number only grows.
_STEPS = {
    "Enumerating objects": ("preparing", 0, 2),
    "Counting objects": ("preparing", 0, 3),
    "Compressing objects": ("preparing", 3, 10),
    "Receiving objects": ("receiving", 10, 70),
    "Resolving deltas": ("unpacking", 70, 85),
    "Updating files": ("writing files", 85, 99),
    "Checking out files": ("writing files", 85, 99),
}
_LINE = re.compile(r"(?:remote: )?(?P<step>[A-Z][A-Za-z ]+): +(?P<percent>\d{1,3})%")
_LONGEST_LINE = 4096


class ProgressReader:
    """Reads git's progress lines, which end in a carriage return, and reports each new percentage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rest = ""
        self._last = (-1, "")

    def feed(self, chunk: bytes) -> None:
        """Take what git printed next."""
        *lines, self._rest = re.split(r"[\r\n]", self._rest + chunk.decode("utf-8", "replace"))
        self._rest = self._rest[-_LONGEST_LINE:]
        for line in lines:
            self._read(line)

    def _read(self, line: str) -> None:
        match = _LINE.match(line)
        if not match or match["step"] not in _STEPS:
            return
        stage, first, last = _STEPS[match["step"]]
        percent = first + (last - first) * min(int(match["percent"]), 100) // 100
        now = (max(percent, self._last[0]), stage)
        if now != self._last:
            self._last = now
            self._progress(*now)
