"""``maoctl audit``."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

import cli.times
from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page

PATH = "/api/audit-log"


def an_entry(number: int, **values: Any) -> dict[str, Any]:
    known = {"id": number, "time": "2026-11-22T03:00:00Z", "actor": "ci", "action": "runs.submit_run", "result": "202"}
    return {**known, "target": "/api/runs", "owner": "us", "details": {"fields": ["jobSpec"]}, **values}


def test_get_passes_on_each_filter(maoctl: Run, server: StubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.times, "now", lambda: datetime(2026, 11, 22, 3, tzinfo=UTC))
    server.on("GET", PATH, Reply(values=a_page(an_entry(1))))
    filters = ["--actor", "ci", "--action", "a.b", "--target", "/c", "--from", "7d", "--to", "2026-11-22T00:00Z"]
    assert "runs.submit_run" in maoctl("audit", "get", *filters).out
    assert server.paths() == [
        f"GET {PATH}?actor=ci&action=a.b&target=%2Fc&from=2026-11-15T03%3A00%3A00%2B00%3A00"
        "&to=2026-11-22T00%3A00%3A00%2B00%3A00&limit=100"
    ]


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_another_time_is_wrong_use(maoctl: Run, server: StubServer, option: str) -> None:
    result = maoctl("audit", "get", option, "yesterday")
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert option in result.err


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
def test_with_limit_0_every_entry_is_printed_in_each_format(maoctl: Run, server: StubServer, form: str) -> None:
    server.on(
        "GET",
        PATH,
        Reply(values=a_page(an_entry(3), an_entry(2), following="2")),
        Reply(values=a_page(an_entry(1))),
    )
    result = maoctl("audit", "get", "--limit", "0", "-o", form)
    assert (result.exit, result.err) == (Exit.DONE, "")
    assert server.paths() == [f"GET {PATH}?limit=500", f"GET {PATH}?limit=500&cursor=2"]
    if form == "json":
        assert [item["id"] for item in result.json] == [3, 2, 1]
    elif form == "ndjson":
        assert [json.loads(line)["id"] for line in result.out.splitlines()] == [3, 2, 1]
    elif form == "csv":
        assert [row["id"] for row in csv.DictReader(io.StringIO(result.out))] == ["3", "2", "1"]
    else:
        assert [line.split()[0] for line in result.out.splitlines()] == ["ID", "3", "2", "1"]


def test_csv_has_the_details_and_runs_no_formula(maoctl: Run, server: StubServer) -> None:
    server.on("GET", PATH, Reply(values=a_page(an_entry(1, actor="=1+1", target="@x"))))
    (row,) = csv.DictReader(io.StringIO(maoctl("audit", "get", "-o", "csv").out))
    assert (row["actor"], row["target"], json.loads(row["details"])) == ("'=1+1", "'@x", {"fields": ["jobSpec"]})


def test_a_log_that_never_ends_is_a_failure_of_the_server(maoctl: Run, server: StubServer) -> None:
    server.on("GET", PATH, Reply(values=a_page(following="again")))
    assert maoctl("audit", "get", "--limit", "0").exit == Exit.SERVER_FAILED
    assert len(server.requests) == 2
