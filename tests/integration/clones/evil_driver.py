"""Does with hostile remotes what the product does with remotes; a process of its own, so that it can be watched.

Reads cases as JSON from its input and prints for each, as one line of JSON, what came of it. A case that takes longer
than its limit ends the process.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app.errors import MaoError
from app.repositories import clone_remote
from app.repositories.workdirs import Workdirs
from app.settings import Git

LIMIT_SECONDS = 30


def main() -> None:
    """Work through the cases: ``importdir``, ``urls``, and whether addresses are let through unchecked."""
    work = json.load(sys.stdin)
    clone_remote.BACKOFF_SECONDS = (0.01, 0.01)
    settings = Git(allow_local=work["allow_local"], timeout_seconds=work["seconds"], max_bytes=work["max_bytes"])
    workdirs = Workdirs(settings, Path(work["importdir"]))
    for number, url in enumerate(work["urls"]):
        signal.alarm(LIMIT_SECONDS)
        if work["unchecked"]:
            with patch("app.repositories.clone_holding.checked_url", lambda url, allow_local: url):
                done = used(workdirs, f"case-{number}", url)
        else:
            done = used(workdirs, f"case-{number}", url)
        print(json.dumps(done), flush=True)
    signal.alarm(0)


def used(workdirs: Workdirs, name: str, url: str) -> dict[str, str]:
    """Clone, read, write, publish, set aside and remove; give each step's result, or the words of its refusal."""
    done: dict[str, str] = {}

    def step(what: str, action: Callable[[], Any]) -> Any:
        try:
            result = action()
        except MaoError as error:
            done[what] = f"{type(error).__name__}: {error.message}"
            return None
        done[what] = f"ok {result}"[:200]
        return result

    head = step("clone", lambda: workdirs.clone(name, url))
    if not workdirs.exists(name):
        return done
    step("refresh", lambda: workdirs.refresh(name, url))
    baseline = step("baseline", lambda: workdirs.baseline(name))
    (workdirs.path(name) / "mao-half.csv").write_text("half\n")
    if baseline:
        step("changed", lambda: workdirs.changed_since(name, baseline))
        step("quarantine", lambda: workdirs.quarantine(name, baseline, 7))
    (workdirs.path(name) / "mao-whole.csv").write_text("whole\n")
    step("commit", lambda: workdirs.commit(name, "sync", {"Mao-Tool": "x"}, 8, input_commit=head))
    step("state", lambda: workdirs.state(name))
    if head:
        step("again", lambda: workdirs.clone_at(f"{name}-at", url, head))
    return done


if __name__ == "__main__":
    main()
