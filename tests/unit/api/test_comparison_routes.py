"""Comparing snapshots over HTTP."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

COMPARE = "/api/datasets/helm/compare"


def test_the_newest_snapshot_is_compared_with_the_one_before_it(reader: FlaskClient, services: SimpleNamespace) -> None:
    answer = reader.get(COMPARE).get_json()
    assert (answer["from"]["commit"], answer["to"]["label"], answer["isIdentical"]) == ("1" * 40, "2026-01-02", False)
    assert answer["files"] == [{"status": "changed", "newPath": "a.csv"}]
    how = {"key": [], "scope": "snapshot", "form": "json", "limit": 1000}
    assert services.comparisons.calls == [("compare", ("helm", "previous", "latest"), how)]


def test_the_query_says_what_to_compare_and_how(reader: FlaskClient, services: SimpleNamespace) -> None:
    reader.get(f"{COMPARE}?from=2026-01-01&to=run:17&key=id,%20name&scope=tree&format=html&limit=0")
    how = {"key": ["id", "name"], "scope": "tree", "form": "html", "limit": 0}
    assert services.comparisons.calls == [("compare", ("helm", "2026-01-01", "run:17"), how)]


@pytest.mark.parametrize(
    "query",
    [
        "from=",
        f"to={'a' * 201}",
        "key=a,a",
        f"key={','.join(map(str, range(17)))}",
        f"key={'a' * 256}",
        "key=a%00",
        "scope=all",
        "format=pdf",
        "limit=-1",
        "limit=10001",
    ],
)
def test_a_query_that_says_nothing_sensible_is_refused(reader: FlaskClient, query: str) -> None:
    assert reader.get(f"{COMPARE}?{query}").status_code == 422
