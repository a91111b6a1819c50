"""``maoctl dataset snapshots``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli import times
from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page

ADDRESS = "/api/datasets/helm/snapshots"
SNAPSHOT = {"date": "2026-01-31", "commit": "abc", "label": "", "files": 2, "rows": 7, "bytes": 42, "runId": 17}


def _page(is_complete: bool) -> Reply:
    return Reply(values={**a_page(SNAPSHOT), "isComplete": is_complete})


def test_snapshots_are_listed_by_days_and_run(maoctl: Run, server: StubServer) -> None:
    server.on("GET", ADDRESS, _page(is_complete=True))
    asked = ("--since", "2026-01-01", "--until", "2026-01-31", "--run", "17")
    result = maoctl("dataset", "snapshots", "helm", *asked, "-o", "json")
    assert (result.json, result.err) == ([SNAPSHOT], "")
    assert server.paths() == [f"GET {ADDRESS}?since=2026-01-01&until=2026-01-31&run=17&limit=100"]


def test_a_list_that_is_still_being_made_says_so(maoctl: Run, server: StubServer) -> None:
    server.on("GET", ADDRESS, _page(is_complete=False))
    result = maoctl("dataset", "snapshots", "helm")
    assert "2026-01-31" in result.out
    assert result.err == "The server is still reading the history; there may be more.\n"


def test_days_may_be_said_as_lengths_of_time(maoctl: Run, server: StubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now", lambda: datetime(2026, 3, 8, 12, tzinfo=UTC))
    server.on("GET", ADDRESS, _page(is_complete=True))
    assert maoctl("dataset", "snapshots", "helm", "--since", "7d", "--until", "90").exit == Exit.DONE
    assert server.paths() == [f"GET {ADDRESS}?since=2026-03-01&until=2026-03-08&limit=100"]


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "7 d", "9999999999999d"])
def test_what_is_no_day_is_refused_before_anything_is_asked(maoctl: Run, server: StubServer, day: str) -> None:
    assert maoctl("dataset", "snapshots", "helm", "--since", day).exit == Exit.USAGE
    assert server.requests == []
