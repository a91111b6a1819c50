"""Clones one repository in a process of its own, so that its memory can be measured; prints what came of it as JSON."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from app.repositories.workdirs import Workdirs
from app.settings import Git


def main() -> None:
    """Clone: the arguments are the folder of the clones, the address and how much of the past is kept."""
    importdir, url, history = sys.argv[1:]
    told: list[tuple[int, str]] = []
    workdirs = Workdirs(Git(allow_local=True), Path(importdir))
    head = workdirs.clone("data", url, progress=lambda percent, step: told.append((percent, step)), history=history)
    print(
        json.dumps({"head": head, "told": told, "own_bytes": _peak_bytes("SELF"), "git_bytes": _peak_bytes("CHILDREN")})
    )


def _peak_bytes(whose: str) -> int:
    """Give the most memory that this process, or one of all that it started, ever had."""
    return int(resource.getrusage(getattr(resource, f"RUSAGE_{whose}")).ru_maxrss) * 1024


if __name__ == "__main__":
    main()
