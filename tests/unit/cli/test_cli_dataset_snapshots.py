"""``maoctl dataset snapshots``."""

from __future__ import annotations

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


def test_what_is_no_day_is_refused_before_anything_is_asked(maoctl: Run, server: StubServer) -> None:
    assert maoctl("dataset", "snapshots", "helm", "--since", "yesterday").exit == Exit.USAGE
    assert server.requests == []
