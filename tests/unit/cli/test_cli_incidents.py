"""``maoctl incident``, and what people decide with ``maoctl tool``."""

from __future__ import annotations

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page

INCIDENT = {
    "id": 12,
    "tool": "spike",
    "kind": "data",
    "status": "drop",
    "runs": 2,
    "openedAt": "2026-11-22T03:00:00+00:00",
    "closedAt": None,
    "closedBecause": None,
    "summary": "control: 412 where 890 to 930 was expected.",
}
POINT = {"clone": "data", "metric": "control", "label": "control-1.csv", "runId": 7, "value": 412.0}
DECISION = {
    "id": 3,
    "kind": "accept",
    "why": "right",
    "points": [
        {**POINT, "before": "flagged", "after": "level", "standing": "level"},
        {**POINT, "label": "control-2.csv", "before": "flagged", "after": "counted", "standing": "counted"},
    ],
}
DECISIONS = "/api/tools/spike/decisions"


def test_get_lists_incidents_as_they_are_asked_for(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/incidents", Reply(values=a_page(INCIDENT)))
    assert "412 where 890 to 930" in maoctl("incident", "get").out
    maoctl("incident", "get", "--open", "--tool", "spike", "--kind", "data", "--limit", "5")
    assert server.paths() == [
        "GET /api/incidents?limit=100",
        "GET /api/incidents?tool=spike&kind=data&open=true&limit=5",
    ]


def test_a_listing_says_which_incidents_are_open(maoctl: Run, server: StubServer) -> None:
    over = {**INCIDENT, "id": 11, "closedAt": "2026-11-21T03:00:00+00:00", "closedBecause": "recovered"}
    server.on("GET", "/api/incidents", Reply(values=a_page(INCIDENT, over)))
    assert [line.split()[3] for line in maoctl("incident", "get").out.splitlines()] == ["STATE", "open", "closed"]
    assert maoctl("incident", "get", "-o", "json").json == [INCIDENT, over]


def test_accept_shows_how_each_point_stands_now(maoctl: Run, server: StubServer) -> None:
    server.on("POST", DECISIONS, Reply(201, DECISION))
    lines = maoctl("tool", "accept", "spike", "--why", "right").out.splitlines()
    assert lines[0] == "Decision 3 about 'spike'; 1 from flagged to level; 1 from flagged to counted."
    assert lines[-1].split() == ["data", "control", "control-2.csv", "7", "412", "flagged", "counted"]
    maoctl("tool", "accept", "spike", "--metric", "rows", "--since", "7", "--why", "right")
    assert server.bodies("POST") == [
        {"kind": "accept", "why": "right"},
        {"kind": "accept", "why": "right", "metric": "rows", "since": 7},
    ]


def test_reject_names_a_run(maoctl: Run, server: StubServer) -> None:
    server.on("POST", DECISIONS, Reply(201, {**DECISION, "kind": "reject"}))
    assert maoctl("tool", "reject", "spike", "--run", "7", "--why", "x", "-o", "json").json["id"] == 3
    assert server.bodies("POST") == [{"kind": "reject", "why": "x", "runId": 7}]


def test_points_are_named_by_their_labels(maoctl: Run, server: StubServer) -> None:
    server.on("POST", DECISIONS, Reply(201, {**DECISION, "kind": "reject"}))
    maoctl("tool", "reject", "spike", "--metric", "control", "--point", "a.csv", "--point", "b.csv", "--why", "x")
    assert server.bodies("POST") == [{"kind": "reject", "why": "x", "metric": "control", "points": ["a.csv", "b.csv"]}]


def test_mute_takes_an_instant_or_a_length(maoctl: Run, server: StubServer) -> None:
    server.on("POST", DECISIONS, Reply(201, {"id": 4, "until": "2030-01-01T00:00:00+00:00", "points": []}))
    result = maoctl("tool", "mute", "spike", "--until", "2030-01-01T01:00+01:00", "--why", "x")
    assert result.out == "Tool 'spike' is muted until 2030-01-01 00:00 UTC (decision 4).\n"
    assert maoctl("tool", "mute", "spike", "--until", "7d", "--why", "x").exit == Exit.DONE
    assert server.bodies("POST")[0]["until"] == "2030-01-01T01:00:00+01:00"


@pytest.mark.parametrize(
    "words",
    [
        ["accept", "spike"],
        ["accept", "spike", "--why", "x", "--run", "1", "--since", "1"],
        ["reject", "spike", "--why", "x", "--run", "0"],
        ["reject", "spike", "--why", "x", "--point", "control-1.csv"],
        ["reject", "spike", "--why", "x", "--metric", "control", "--point", "control-1.csv", "--run", "1"],
        ["mute", "spike", "--why", "x"],
        ["mute", "spike", "--why", "x", "--until", "soon"],
        ["undo", "spike", "three", "--why", "x"],
    ],
)
def test_a_decision_that_lacks_something_is_wrong_use(maoctl: Run, server: StubServer, words: list[str]) -> None:
    assert (maoctl("tool", *words).exit, server.requests) == (Exit.USAGE, [])


def test_decisions_are_listed_with_how_many_points_each_is_about(maoctl: Run, server: StubServer) -> None:
    server.on("GET", DECISIONS, Reply(values=a_page(DECISION)))
    assert maoctl("tool", "decisions", "spike").out.splitlines()[-1].split() == ["3", "accept", "2", "right"]
    server.on("GET", DECISIONS, Reply(values=a_page({**DECISION, "undoneBy": "root", "undoneWhy": "mistaken"})))
    assert maoctl("tool", "decisions", "spike").out.splitlines()[-1].split()[-2:] == ["root", "mistaken"]
    server.on("GET", DECISIONS, Reply(values=a_page(DECISION)))
    assert maoctl("tool", "decisions", "spike", "-o", "json").json == [DECISION]


def test_undo_shows_what_the_points_are_again(maoctl: Run, server: StubServer) -> None:
    undone = {**DECISION, "points": [{**POINT, "before": "flagged", "after": "level", "standing": "flagged"}]}
    server.on("POST", f"{DECISIONS}/3/undo", Reply(values=undone))
    lines = maoctl("tool", "undo", "spike", "3", "--why", "mistaken").out.splitlines()
    assert lines[0] == "Decision 3 about 'spike' is undone; 1 from level to flagged."
    assert server.bodies("POST") == [{"why": "mistaken"}]
