"""``maoctl lock``."""

from __future__ import annotations

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page

HELD = {"key": "archive", "runId": 7, "node": "node-a", "since": "2024-02-29T12:00:00+00:00", "token": 41}


def test_get_shows_who_holds_what(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/locks", Reply(values=a_page(HELD)))
    assert maoctl("lock", "get").out.splitlines()[-1].split() == [
        "archive",
        "7",
        "node-a",
        "2024-02-29",
        "12:00",
        "UTC",
        "41",
    ]
    assert maoctl("lock", "get", "-o", "json").json == [HELD]


def test_a_lock_is_broken_only_by_who_is_sure(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/locks/archive", Reply(204))
    doubtful = maoctl("lock", "break", "archive")
    assert (doubtful.exit, server.requests) == (Exit.USAGE, [])
    assert "--yes" in doubtful.err
    assert maoctl("lock", "break", "archive", "--yes").out == "Lock 'archive' is broken.\n"
    assert server.paths() == ["DELETE /api/locks/archive"]


def test_a_lock_that_nobody_holds_is_refused(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/locks/free", Reply(404, {"message": "Nobody holds the lock 'free'."}))
    result = maoctl("lock", "break", "free", "--yes")
    assert (result.exit, result.err) == (Exit.REFUSED, "maoctl: Nobody holds the lock 'free'.\n")
