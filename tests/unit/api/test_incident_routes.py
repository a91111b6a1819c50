"""Incidents and decisions over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient


def test_incidents_come_in_pages_and_filtered(owner: FlaskClient, services: SimpleNamespace) -> None:
    first = owner.get("/api/incidents?tool=spike&kind=data&open=true&limit=1").get_json()
    assert [item["id"] for item in first["items"]] == [12]
    assert first["items"][0] == {
        "id": 12,
        "tool": "spike",
        "kind": "data",
        "status": "drop",
        "metrics": {"some_rows": "drop"},
        "summary": "some_rows: 412 where 890 to 930 was expected.",
        "runs": 1,
        "openedAt": "2024-02-29T12:00:00+00:00",
        "firstRun": None,
        "openedByRun": 7,
        "lastRun": None,
        "toldAt": None,
        "closedAt": None,
        "closedByRun": None,
        "closedBecause": None,
    }
    last = owner.get(f"/api/incidents?limit=1&cursor={first['next']}").get_json()
    assert ([item["id"] for item in last["items"]], last["next"]) == ([11], None)
    asked = [options for _, _, options in services.incidents.calls]
    assert asked[0] == {"after": None, "limit": 2, "tool": "spike", "kind": "data", "is_open": True}
    assert asked[1] == {"after": 12, "limit": 2, "tool": None, "kind": None, "is_open": None}


@pytest.mark.parametrize("query", ["kind=noise", "open=perhaps", "limit=0", "cursor=!", "page=2"])
def test_a_bad_question_about_incidents_names_the_field(owner: FlaskClient, query: str) -> None:
    answer = owner.get(f"/api/incidents?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.get_data(as_text=True)


def test_a_decision_shows_which_points_stood_how(owner: FlaskClient, services: SimpleNamespace) -> None:
    body = {"kind": "accept", "metric": "control", "since": 7, "why": "a new region"}
    answer = owner.post("/api/tools/spike/decisions", json=body)
    assert answer.status_code == 201
    assert answer.get_json()["points"] == [
        {
            "id": 9,
            "clone": "data",
            "metric": "control",
            "label": "control-1.csv",
            "runId": 7,
            "value": 412.0,
            "before": "flagged",
            "after": "level",
            "standing": "level",
        }
    ]
    [(_, (identity, tool, values), _)] = services.decisions.calls
    assert (identity.identifier, tool) == ("root", "spike")
    assert values == {
        "kind": "accept",
        "metric": "control",
        "since": 7,
        "why": "a new region",
        "run_id": None,
        "until": None,
        "points": None,
    }


def test_the_end_of_a_mute_is_understood_in_its_zone(owner: FlaskClient, services: SimpleNamespace) -> None:
    body = {"kind": "mute", "until": "2030-01-01T02:00:00+02:00", "why": "holidays"}
    assert owner.post("/api/tools/spike/decisions", json=body).status_code == 201
    assert services.decisions.calls[0][1][2]["until"] == datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "ignore"),
        ("kind", None),
        ("why", ""),
        ("why", "two\nlines"),
        ("why", "x" * 2049),
        ("why", None),
        ("metric", "x" * 2049),
        ("runId", 0),
        ("runId", -1),
        ("since", "7"),
        ("points", []),
        ("points", "x"),
        ("points", ["x"] * 101),
        ("points", [""]),
        ("points", ["x" * 2049]),
        ("since", 1.5),
        ("until", "2030-01-01T00:00:00"),
        ("until", "tomorrow"),
        ("colour", "red"),
    ],
)
def test_a_bad_decision_is_refused_and_the_field_named(
    owner: FlaskClient, services: SimpleNamespace, field: str, value: Any
) -> None:
    answer = owner.post("/api/tools/spike/decisions", json={"kind": "reject", "why": "x", field: value})
    assert (answer.status_code, services.decisions.calls) == (422, [])
    assert field in answer.get_json()["errors"]["json"]


def test_a_decision_is_undone_with_a_reason(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/tools/spike/decisions/3/undo", json={}).status_code == 422
    undone = owner.post("/api/tools/spike/decisions/3/undo", json={"why": "mistaken"}).get_json()
    assert (undone["undoneBy"], undone["undoneWhy"]) == ("root", "mistaken")
    assert services.decisions.calls[0][1][1:] == ("spike", 3, "mistaken")


def test_decisions_come_in_pages(owner: FlaskClient) -> None:
    first = owner.get("/api/tools/spike/decisions?limit=1").get_json()
    last = owner.get(f"/api/tools/spike/decisions?limit=1&cursor={first['next']}").get_json()
    assert [item["id"] for item in first["items"] + last["items"]] == [3, 2]
    assert owner.get("/api/tools/nosuch/decisions").status_code == 404
