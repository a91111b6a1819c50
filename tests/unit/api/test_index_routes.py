"""The index of snapshots, and clones that show one of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

PLACE = "/api/index/helmhub/2026-03-01/panos/helm/clone"


def test_hubs_days_and_snapshots_come_in_pages_of_any_size(reader: FlaskClient) -> None:
    places = {"/api/index/hubs": "hub", "/api/index/helmhub/dates": "date"}
    for address, key in places.items():
        first = reader.get(f"{address}?limit=1").get_json()
        second = reader.get(f"{address}?limit=1&cursor={first['next']}").get_json()
        whole = reader.get(address).get_json()
        assert first["items"] + second["items"] == whole["items"]
        assert (second["next"], whole["next"]) == (None, None)
        assert set(whole["items"][0]) == {key}


def test_a_page_of_snapshots_ends_inside_an_operator(reader: FlaskClient) -> None:
    address = "/api/index/helmhub/2026-03-01/operators"
    first = reader.get(f"{address}?limit=1").get_json()
    second = reader.get(f"{address}?limit=2&cursor={first['next']}").get_json()
    assert [(item["operator"], item["dataset"]) for item in first["items"] + second["items"]] == [
        ("josef", "a"),
        ("josef", "b"),
        ("panos", "a"),
    ]
    assert first["items"][0].keys() == {"operator", "dataset", "url", "commit", "runId"}


@pytest.mark.parametrize(("body", "name"), [(None, None), ({}, None), ({"name": "spring"}, "spring")])
def test_a_snapshot_is_asked_for_under_its_own_name_or_under_one_that_is_given(
    owner: FlaskClient, services: SimpleNamespace, body: dict[str, str] | None, name: str | None
) -> None:
    answer = owner.post(PLACE, json=body) if body is not None else owner.post(PLACE)
    assert answer.status_code == 202
    assert answer.get_json()["commit"] == "c" * 40
    assert answer.headers["Location"].endswith("/api/datasets/helm-2026-03-01/clone")
    assert services.index.calls == [("retrieve", ("helmhub", "2026-03-01", "panos", "helm", name), {})]
