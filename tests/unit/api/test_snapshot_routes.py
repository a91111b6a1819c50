"""The list of snapshots over HTTP."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from app.api.pages import encode

LIST = "/api/datasets/helm/snapshots"


def test_snapshots_come_in_pages_of_any_size_that_say_whether_all_are_known(reader: FlaskClient) -> None:
    first = reader.get(f"{LIST}?limit=1").get_json()
    second = reader.get(f"{LIST}?limit=2&cursor={first['next']}").get_json()
    whole = reader.get(LIST).get_json()
    assert first["items"] + second["items"] == whole["items"]
    assert (second["next"], whole["next"]) == (None, None)
    assert first["isComplete"] is second["isComplete"] is True
    assert whole["items"][0] == {
        "date": "2026-01-03",
        "commit": f"{3:040x}",
        "label": "",
        "committedTime": "2024-02-29T12:00:00+00:00",
        "subject": "sync",
        "files": 1,
        "rows": 3,
        "bytes": 12,
        "runId": 7,
        "node": "n",
        "tool": "spike",
        "image": "sha256:2",
        "controlMetric": 900.0,
        "verdict": "ok",
    }
    assert [item["label"] for item in whole["items"]] == ["", "2026-01-02", ""]


def test_days_and_runs_restrict_the_list(reader: FlaskClient, services: SimpleNamespace) -> None:
    reader.get(f"{LIST}?since=2026-01-01&until=2026-01-31&run=7")
    wanted = {"since": date(2026, 1, 1), "until": date(2026, 1, 31), "run": 7}
    assert services.snapshots.calls[-1] == ("list", ("helm", wanted, None, 101), {})


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-02-30",
        "until=2026-01-01T00:00:00Z",
        "run=0",
        "run=9999999999999999999",
        "run=one",
        "cursor=x",
        f"cursor={encode('1 2026-01-01x')}",
        f"cursor={encode('-1 ')}",
        f"cursor={encode('7 a')}",
        "limit=0",
        "order=oldest",
    ],
)
def test_what_is_no_day_number_or_cursor_is_refused(reader: FlaskClient, query: str) -> None:
    assert reader.get(f"{LIST}?{query}").status_code == 422


def test_an_unknown_clone_is_not_found(reader: FlaskClient) -> None:
    assert reader.get("/api/datasets/nosuch/snapshots").status_code == 404
