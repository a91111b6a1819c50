"""What is stored of a tool's metrics is shown and replayed, whatever became of its entry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import utc_now
from app.models.clone import CloneState
from app.models.metric import MetricDecision, MetricPoint
from app.models.token import Permission
from app.repositories.clones import CloneRepository
from app.repositories.metrics import MetricRepository, NewPoint, SeriesName
from app.services import questions
from tests.integration.core.callers import Callers

TOOL = {"name": "spike", "author": "a", "image": "i", "data_repo": "", "code_repo": "", "artefact": ""}
METRICS = "/api/tools/spike/metrics"
CONTROL = SeriesName("data", "spike", "control")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def store(callers: Callers, name: SeriesName, values: Sequence[float | None], *, after_days: int = 0) -> None:
    points = [_point(after_days + day, value) for day, value in enumerate(values)]
    with callers.database.transaction() as session:
        MetricRepository(session).add(name, points)


def _point(day: int, value: float | None) -> NewPoint:
    return NewPoint(
        label=f"run-{day}",
        sort_key=f"{day:06}",
        measured_at=FIRST + timedelta(days=day),
        value=value,
        reported=str(value),
        judged="counted",
        standing="counted",
        status="ok" if value is not None else "bad_metric",
        verdict={"status": "ok", "sentence": "as it was", "low": 1.0, "high": 2.0},
        source="run",
        run_id=day + 1,
    )


@pytest.fixture
def olga(callers: Callers) -> FlaskClient:
    return callers.make("olga", list(Permission), "olgas-group")


def asked(client: FlaskClient, address: str, status: int = 200) -> Any:
    answer = client.get(address)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def test_the_clone_with_the_newest_point_is_shown_unless_another_is_asked_for(
    callers: Callers, olga: FlaskClient
) -> None:
    store(callers, SeriesName("elsewhere", "spike", "control"), [1.0, 2.0, 3.0])
    store(callers, CONTROL, [10.0, 11.0], after_days=5)
    store(callers, SeriesName("data", "spike", "rows"), [4.0])
    told = asked(olga, METRICS)
    assert told["clone"] == "data"
    assert [(item["metric"], item["points"], item["newest"]["value"]) for item in told["items"]] == [
        ("control", 2, 11.0),
        ("rows", 1, 4.0),
    ]
    assert asked(olga, f"{METRICS}?clone=elsewhere")["items"][0]["points"] == 3
    assert [point["value"] for point in asked(olga, f"{METRICS}/control")["items"]] == [11.0, 10.0]
    assert len(asked(olga, f"{METRICS}/control?clone=elsewhere")["items"]) == 3
    assert asked(olga, f"{METRICS}?clone=nosuch", 404)["message"].endswith("in a clone 'nosuch'.")


def test_a_registered_tool_without_points_has_none_and_an_unknown_one_is_not_found(
    callers: Callers, olga: FlaskClient
) -> None:
    assert olga.post("/api/tools", json=TOOL).status_code == 201
    assert asked(olga, METRICS) == {"clone": None, "items": [], "withoutPoints": []}
    assert "maoctl metric import" in asked(olga, f"{METRICS}/control", 404)["hint"]
    asked(olga, "/api/tools/nosuch/metrics", 404)
    store(callers, CONTROL, [1.0])
    assert asked(olga, f"{METRICS}/contrl", 404)["hint"] == "Did you mean 'control'?"


def test_the_method_in_force_is_that_of_the_entry_and_points_outlive_it(callers: Callers, olga: FlaskClient) -> None:
    chosen = {"control": {"method": "rolling", "threshold_percent": 9}, "files": False}
    assert olga.post("/api/tools", json={**TOOL, "metrics": chosen}).status_code == 201
    for metric in ("control", "files", "rows"):
        store(callers, SeriesName("data", "spike", metric), [1.0])
    told = {item["metric"]: item for item in asked(olga, METRICS)["items"]}
    assert (told["control"]["method"], told["control"]["parameters"]["threshold_percent"]) == ("rolling", 9)
    assert (told["files"]["method"], told["files"]["parameters"]) == (None, {})
    assert [asked(olga, f"{METRICS}/{name}/backtest")["isJudged"] for name in ("control", "files")] == [True, False]
    assert [told[name]["isDeclared"] for name in ("control", "files", "rows")] == [True, True, False]
    assert olga.delete("/api/tools/spike").status_code == 204
    told = {item["metric"]: item for item in asked(olga, METRICS)["items"]}
    assert (told["control"]["method"], told["control"]["points"]) == ("adaptive", 1)


def test_names_of_the_entry_that_no_run_has_reported_are_told(callers: Callers, olga: FlaskClient) -> None:
    chosen = {"contrl": {"threshold": 9}, "rows": False, "incidents": {"points": 2, "of": 3}}
    assert olga.post("/api/tools", json={**TOOL, "metrics": chosen}).status_code == 201
    assert asked(olga, METRICS)["withoutPoints"] == ["contrl", "rows"]
    store(callers, CONTROL, [1.0])
    store(callers, SeriesName("data", "spike", "rows"), [1.0])
    assert asked(olga, METRICS)["withoutPoints"] == ["contrl"]


def test_pages_go_both_ways_through_a_series_without_a_gap(callers: Callers, olga: FlaskClient) -> None:
    store(callers, CONTROL, [float(day) for day in range(7)])
    store(callers, CONTROL, [99.0], after_days=3)
    for order, expected in (("newest", [6, 5, 4, 99, 2, 1, 0]), ("oldest", [0, 1, 2, 99, 4, 5, 6])):
        found, cursor = [], ""
        while cursor is not None:
            page = asked(olga, f"{METRICS}/control?limit=2&order={order}&cursor={cursor}".removesuffix("&cursor="))
            found += [point["value"] for point in page["items"]]
            cursor = page["next"]
        assert found == expected
    everything = asked(olga, f"{METRICS}/control?replaced=true")["items"]
    assert [point["value"] for point in everything if not point["isCurrent"]] == [3.0]


def test_a_replay_says_what_would_have_been_alarmed_and_stores_nothing(callers: Callers, olga: FlaskClient) -> None:
    values = [100.0 + day % 3 for day in range(30)]
    values[20] = values[21] = 300.0
    store(callers, CONTROL, values)
    before = _rows(callers)
    found = asked(olga, f"{METRICS}/control/backtest?method=rolling&threshold_percent=20")
    anomalies = [item["label"] for item in found["items"] if item["verdict"]["status"] == "spike"]
    assert anomalies == ["run-20", "run-21", "run-22", "run-23"]
    assert (found["points"], found["anomalies"], found["alarms"]) == (30, 4, 1)
    assert (found["recordedAnomalies"], found["recordedAlarms"], found["agreeing"]) == (0, 0, 26)
    assert found["items"][0]["verdict"]["status"] == "not_enough_data"
    later = asked(olga, f"{METRICS}/control/backtest?method=rolling&threshold_percent=20&from=2026-01-22T00:00:00Z")
    assert later["items"] == found["items"][21:]
    assert _rows(callers) == before


def test_a_replay_keeps_what_a_person_decided_and_not_what_verdicts_made_of_a_point(
    callers: Callers, olga: FlaskClient
) -> None:
    store(callers, CONTROL, [100.0] * 10 + [500.0] + [100.0] * 2)
    plain = asked(olga, f"{METRICS}/control/backtest?method=rolling")["items"]
    assert plain[11]["verdict"]["status"] == "spike", "the mean of the last two has the outlier in it"
    number = plain[10]["id"]
    with callers.database.transaction() as session:
        session.execute(update(MetricPoint).where(MetricPoint.id == number).values(standing="excluded"))
    assert asked(olga, f"{METRICS}/control/backtest?method=rolling")["items"][11]["verdict"]["status"] == "spike"
    decision = {"tool": "spike", "metric": "control", "kind": "reject", "points": [number], "actor": "o", "why": "w"}
    with callers.database.transaction() as session:
        session.add(MetricDecision(decided_at=utc_now(), **decision))
    assert asked(olga, f"{METRICS}/control/backtest?method=rolling")["items"][11]["verdict"]["status"] == "ok"
    with callers.database.transaction() as session:
        session.execute(update(MetricDecision).values(undone_at=utc_now(), undone_by="o", undone_why="w"))
    assert asked(olga, f"{METRICS}/control/backtest?method=rolling")["items"][11]["verdict"]["status"] == "spike"


@pytest.mark.parametrize(
    ("query", "field", "nearest"),
    [
        ("method=adaptiv", "method", "Did you mean 'adaptive'?"),
        ("method=rolling&threshold_percnt=1", "threshold_percnt", "Did you mean 'threshold_percent'?"),
        ("method=mad&threshold_percent=1", "threshold_percent", "threshold"),
        ("method=rolling&threshold_percnt=x", "threshold_percnt", "Did you mean 'threshold_percent'?"),
    ],
)
def test_a_replay_by_what_does_not_exist_names_the_field_and_the_nearest(
    callers: Callers, olga: FlaskClient, query: str, field: str, nearest: str
) -> None:
    store(callers, CONTROL, [1.0])
    refused = asked(olga, f"{METRICS}/control/backtest?{query}", 422)
    [rule] = refused["errors"]["query"][field]
    assert nearest in rule


def test_no_more_than_the_newest_points_are_replayed(
    callers: Callers, olga: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.metric_backtests.MOST_POINTS", 4)
    store(callers, CONTROL, [1.0] * 4)
    assert asked(olga, f"{METRICS}/control/backtest")["isCut"] is False
    store(callers, CONTROL, [1.0], after_days=4)
    found = asked(olga, f"{METRICS}/control/backtest")
    assert (found["isCut"], [item["label"] for item in found["items"]]) == (True, ["run-1", "run-2", "run-3", "run-4"])


def test_series_without_numbers_and_with_the_largest_are_replayed(callers: Callers, olga: FlaskClient) -> None:
    store(callers, CONTROL, [None, None])
    assert asked(olga, f"{METRICS}/control/backtest")["alarms"] == 0
    store(callers, SeriesName("data", "spike", "size"), [1.7e308, -1.7e308] * 10)
    for method in ("adaptive", "rolling", "zscore", "mad"):
        assert asked(olga, f"{METRICS}/size/backtest?method={method}")["points"] == 20


def test_who_may_read_runs_reads_a_series_whole_and_nothing_of_who_owns_them(
    callers: Callers, olga: FlaskClient
) -> None:
    """As with snapshots: a series of every second number would be judged by nobody."""
    store(callers, CONTROL, [1.0, 2.0])
    sven = callers.make("sven", [Permission.JOB_RUN_READ], "other-group")
    stranger = callers.make("nora", set(Permission) - {Permission.JOB_RUN_READ, Permission.JOB_RUN_READ_ANY}, "third")
    for address in (METRICS, f"{METRICS}/control", f"{METRICS}/control/backtest"):
        assert asked(sven, address) == asked(olga, address)
        assert "olga" not in sven.get(address).get_data(as_text=True)
        asked(stranger, address, 403)
    assert sven.post(f"{METRICS}/import", json={"source": "runs"}).status_code == 403


def test_an_import_is_left_to_the_agent_and_wants_a_clone_that_is_there(
    callers: Callers, olga: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "_PATIENCE_SECONDS", 0.0)
    address, body = f"{METRICS}/import", {"source": "history"}
    assert "keeps no data" not in olga.post(address, json=body).get_json()["message"]
    assert olga.post("/api/tools", json=TOOL).status_code == 201
    refused = olga.post(address, json=body)
    assert (refused.status_code, "keeps no data" in refused.get_json()["message"]) == (404, True)
    refused = olga.post(address, json={**body, "clone": "data"})
    assert (refused.status_code, "maoctl dataset clone data" in refused.get_json()["hint"]) == (404, True)
    with callers.database.transaction() as session:
        CloneRepository(session).put("data", url="u", state=CloneState.READY)
    assert olga.post(address, json={**body, "clone": "data"}).status_code == 202
    store(callers, CONTROL, [1.0])
    assert olga.post(address, json=body).status_code == 202, "the clone with the newest point"


def _rows(callers: Callers) -> tuple[int, int]:
    with callers.database.transaction() as session:
        count, newest = session.execute(select(func.count(), func.max(MetricPoint.id))).one()
    return count, newest
