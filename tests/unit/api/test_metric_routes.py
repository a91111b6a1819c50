"""The metrics of a tool over HTTP."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from app.repositories.metric_reading import PointFilter

METRICS = "/api/tools/spike/metrics"
CONTROL = f"{METRICS}/control"


def test_each_metric_comes_with_how_it_is_judged_and_its_newest_point(owner: FlaskClient) -> None:
    answer = owner.get(METRICS).get_json()
    [item] = answer["items"]
    assert (answer["clone"], answer["withoutPoints"]) == ("helm", ["contrl"])
    assert (item["metric"], item["isDeclared"], item["method"], item["points"]) == ("control", True, "rolling", 3)
    assert item["parameters"] == {"threshold": 6.0}
    newest = item["newest"]
    assert (newest["value"], newest["status"], newest["expected"], newest["low"]) == (900.0, "ok", 900.0, 890.0)
    assert (newest["measuredTime"], newest["standing"]) == ("2024-03-03T12:00:00+00:00", "counted")


def test_points_come_in_pages_without_a_gap(owner: FlaskClient, services: SimpleNamespace) -> None:
    first = owner.get(f"{CONTROL}?limit=2&order=oldest&replaced=true&clone=helm").get_json()
    second = owner.get(f"{CONTROL}?limit=2&cursor={first['next']}").get_json()
    assert [point["id"] for point in first["items"] + second["items"]] == [3, 2, 1]
    assert second["next"] is None
    asked = ("spike", "control", "helm", PointFilter(is_ascending=True, with_replaced=True), None, 3)
    assert services.metrics.calls[0] == ("points", asked, {})
    assert services.metrics.calls[1][1][3:5] == (PointFilter(), 2)


def test_a_point_without_a_number_says_what_was_reported(owner: FlaskClient) -> None:
    point = owner.get(CONTROL).get_json()["items"][1]
    assert (point["value"], point["expected"], point["sentence"], point["runId"]) == (None, None, "", None)


def test_a_backtest_counts_a_stretch_of_anomalies_once(owner: FlaskClient, services: SimpleNamespace) -> None:
    asked = "method=rolling&threshold=6&from=2024-01-01T00:00:00Z"
    answer = owner.get(f"{CONTROL}/backtest?{asked}").get_json()
    assert (answer["metric"], answer["clone"], answer["points"], len(answer["items"])) == ("control", "helm", 4, 4)
    assert (answer["anomalies"], answer["alarms"], answer["recordedAlarms"], answer["agreeing"]) == (2, 1, 0, 2)
    assert [item["verdict"]["status"] for item in answer["items"]][2:] == ["spike", "spike"]
    _, _, how = services.backtests.calls[0]
    assert how["method"] == "rolling"
    assert how["parameters"] == {"threshold": 6.0}
    assert how["since"].isoformat() == "2024-01-01T00:00:00+00:00"


def test_a_parameter_that_no_method_has_gets_to_who_knows_the_nearest(
    owner: FlaskClient, services: SimpleNamespace
) -> None:
    assert owner.get(f"{CONTROL}/backtest?treshold=7").status_code == 200
    assert services.backtests.calls[0][2]["parameters"] == {"treshold": "7"}


@pytest.mark.parametrize("query", ["threshold=a", "threshold=nan", "threshold=-1", "method=", "from=yesterday"])
def test_a_backtest_with_what_is_no_value_is_refused(owner: FlaskClient, query: str) -> None:
    assert owner.get(f"{CONTROL}/backtest?{query}").status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "order=size", "cursor=x", "clone=" + "a" * 256, "from=1"])
def test_a_page_with_what_is_no_value_is_refused(owner: FlaskClient, query: str) -> None:
    assert owner.get(f"{CONTROL}?{query}").status_code == 422


def test_an_import_names_its_source_and_says_what_it_found(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post(f"{METRICS}/import", json={"source": "history", "request": "a1"})
    assert answer.status_code == 200
    assert answer.get_json()["metrics"] == [{"metric": "control", "found": 3, "added": 2, "changed": 1, "leftOut": 0}]
    assert answer.get_json()["notJudged"] == ["rows"]
    assert services.metric_imports.calls == [("request", ("spike", "history", None, "a1"), {})]


@pytest.mark.parametrize(
    "body", [{}, {"source": "web"}, {"source": "files", "clone": "../etc"}, {"source": "files", "all": True}]
)
def test_an_import_of_nothing_sensible_is_refused(owner: FlaskClient, body: dict[str, object]) -> None:
    assert owner.post(f"{METRICS}/import", json=body).status_code == 422
