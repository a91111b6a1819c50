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
    git_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"head": head, "told": told, "own_bytes": _own_peak_bytes(), "git_bytes": git_bytes}))


def _own_peak_bytes() -> int:
    """Give the most memory that this program ever had; ``ru_maxrss`` would count that of the process it came from."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
