"""``maoctl run verify``: who changed a file, as the record has it or as a commit says of itself."""

from __future__ import annotations

from typing import Any

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer

COMMIT = "9d97b71f0c6b" + "0" * 28


def _change(path: str, **by: Any) -> dict[str, Any]:
    known = {"commit": COMMIT, "run": "", "node": "", "isRecorded": False}
    return {"path": path, "isMissing": False, "isUncommitted": False, **known, **by}


def test_a_run_that_a_commit_names_is_told_apart_from_one_on_record(maoctl: Run, server: StubServer) -> None:
    changed = [
        _change("a.csv", run="13", node="n", isRecorded=True),
        _change("b.csv", run="13", node="n"),
        _change("c.csv"),
        _change("d.csv", isUncommitted=True, commit=""),
    ]
    answer = {"summary": "Run 12: changed since.", "isIdentical": False, "changed": changed}
    server.on("GET", "/api/runs/12/verification", Reply(200, answer))
    result = maoctl("run", "verify", "12")
    assert result.exit == Exit.DIFFERENT
    assert result.out.splitlines() == [
        "Run 12: changed since.",
        "changed a.csv: by commit 9d97b71f0c6b, run 13 of node n",
        "changed b.csv: by commit 9d97b71f0c6b, which names run 13 of node n",
        "changed c.csv: by commit 9d97b71f0c6b, which names no run",
        "changed d.csv: in the data directory, not committed",
    ]
