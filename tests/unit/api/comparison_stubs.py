"""A comparison from memory."""

from __future__ import annotations

from typing import Any

from .samples import Recorder

FOUND = {
    "old": {"commit": "1" * 40, "label": ""},
    "new": {"commit": "2" * 40, "label": "2026-01-02"},
    "key": ["id"],
    "scope": "snapshot",
    "isIdentical": False,
    "isCut": False,
    "counts": {"oldRows": 1, "newRows": 2, "addedRows": 1},
    "fileCounts": {"changed": 1},
    "files": [{"status": "changed", "newPath": "a.csv"}],
}


class Comparisons(Recorder):
    """One comparison."""

    def compare(self, name: str, old: str, new: str, **how: Any) -> dict[str, Any]:
        self.note("compare", name, old, new, **how)
        return FOUND
