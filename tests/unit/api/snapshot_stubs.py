"""Snapshots from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from app.errors import NotFound
from app.models.snapshot import Listed, Place, Snapshot

from .samples import NOON, Recorder


def a_snapshot(position: int, **columns: Any) -> Snapshot:
    known = {"clone": "helm", "commit": f"{position:040x}", "label": "", "position": position, "committed_at": NOON}
    facts = {"dated_on": date(2026, 1, position), "subject": "sync", "files": 1, "rows": 3, "bytes": 12}
    return Snapshot(**{**known, **facts, **columns})


class Snapshots(Recorder):
    """The clone ``helm`` has three of them."""

    def is_complete(self, name: str) -> bool:
        if name != "helm":
            raise NotFound(f"This node has no clone '{name}', so it does not know its snapshots.")
        return True

    def list(
        self, name: str, wanted: Mapping[str, Any], after: Place | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        self.note("list", name, dict(wanted), after, limit)
        ours = {"node": "n", "tool": "spike", "image": "sha256:2", "control_metric": 900.0}
        known = [Listed(a_snapshot(3, **ours), 7, "ok"), Listed(a_snapshot(2, label="2026-01-02"), None, None)]
        known.append(Listed(a_snapshot(1, rows=None, bytes=None), None, None))
        return [s for s in known if after is None or (s.snapshot.position, s.snapshot.label) < after][:limit]
