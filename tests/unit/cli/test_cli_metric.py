"""``maoctl metric get``, ``backtest`` and ``import``."""

from __future__ import annotations

from typing import Any

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page

METRICS = "/api/tools/spike/metrics"


def a_point(day: int, value: float | None = 900.0, status: str = "ok", **changes: Any) -> dict[str, Any]:
    known = {"id": day, "value": value, "status": status, "low": 890.0, "high": 930.0, "standing": "counted"}
    told = {"measuredTime": f"2026-01-{day:02}T00:00:00+00:00", "label": f"control-{day}.csv", "runId": day}
    return {**known, **told, "sentence": f"{value} was expected.", **changes}


def a_backtest(**changes: Any) -> dict[str, Any]:
    verdicts = [{"status": "ok", "sentence": "fine"}, {"status": "drop", "sentence": "412 is low"}]
    items = [{**a_point(day), "recordedStatus": "ok", "verdict": verdict} for day, verdict in enumerate(verdicts, 1)]
    counts = {"points": 2, "alarms": 1, "anomalies": 1, "recordedAlarms": 0, "recordedAnomalies": 0, "agreeing": 1}
    how = {"method": "adaptive", "parameters": {"threshold": 5.0}, "isCut": False}
    return {"metric": "control", "clone": "helm", **how, **counts, "items": items, **changes}


def test_the_metrics_of_a_tool_come_with_their_newest_point(maoctl: Run, server: StubServer) -> None:
    item = {"metric": "rows", "isDeclared": False, "method": "mad", "parameters": {"window": 14}, "points": 7}
    server.on("GET", METRICS, Reply(values={"clone": "helm", "items": [{**item, "newest": a_point(3)}]}))
    result = maoctl("metric", "get", "spike", "--clone", "helm")
    for word in ("rows", "measured", "mad window=14", "900", "890 to 930", "2026-01-03 00:00 UTC"):
        assert word in result.out
    assert server.paths() == [f"GET {METRICS}?clone=helm"]
    assert maoctl("metric", "get", "spike", "-o", "json").json[0]["newest"]["id"] == 3


def test_the_points_of_a_metric_are_listed(maoctl: Run, server: StubServer) -> None:
    server.on("GET", f"{METRICS}/control", Reply(values=a_page(a_point(3), a_point(2, None, low=None))))
    result = maoctl("metric", "get", "spike", "control", "--limit", "2")
    assert result.out.count("890 to 930") == 1
    assert server.paths() == [f"GET {METRICS}/control?limit=2"]


def test_a_backtest_shows_what_would_have_been_alarmed_and_the_sum(maoctl: Run, server: StubServer) -> None:
    server.on("GET", f"{METRICS}/control/backtest", Reply(values=a_backtest()))
    result = maoctl("metric", "backtest", "spike", "--method", "adaptive", "--threshold", "5")
    assert "412 is low" in result.out
    assert "fine" not in result.out
    assert result.err.startswith(
        "2 point(s) by adaptive (threshold 5): 1 alarm(s) of 1 anomalous point(s). On record: 0"
    )
    assert server.paths() == [f"GET {METRICS}/control/backtest?method=adaptive&threshold=5.0"]


def test_what_is_no_name_is_refused_before_anybody_is_asked(maoctl: Run, server: StubServer) -> None:
    for asked in (["../x"], ["spike", "../x"], [".."]):
        result = maoctl("metric", "get", *asked)
        assert (result.exit, server.requests) == (Exit.USAGE, [])
        assert f"'{asked[-1]}' is not a name." in result.err


def test_names_of_the_entry_without_points_are_told(maoctl: Run, server: StubServer) -> None:
    server.on("GET", METRICS, Reply(values={"clone": "helm", "items": [], "withoutPoints": ["contrl"]}))
    assert "there is no point yet: contrl." in maoctl("metric", "get", "spike").err


def test_a_threshold_is_said_once_and_an_unjudged_metric_is_told(maoctl: Run, server: StubServer) -> None:
    result = maoctl("metric", "backtest", "spike", "--threshold", "5", "--parameter", "threshold=6")
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    server.on("GET", f"{METRICS}/control/backtest", Reply(values=a_backtest(isJudged=False)))
    assert "Runs are not judged by it" in maoctl("metric", "backtest", "spike").err


def test_a_backtest_takes_every_parameter_and_gives_programs_all_points(maoctl: Run, server: StubServer) -> None:
    server.on("GET", f"{METRICS}/rows/backtest", Reply(values=a_backtest(isCut=True)))
    asked = ("--parameter", "window=14", "--from", "2026-01-01T00:00Z")
    result = maoctl("metric", "backtest", "spike", "rows", *asked, "-o", "json")
    assert len(result.json["items"]) == 2
    assert result.err.endswith("Older points were left out.\n")
    assert server.paths() == [f"GET {METRICS}/rows/backtest?from=2026-01-01T00%3A00%3A00%2B00%3A00&window=14"]
    lines = maoctl("metric", "backtest", "spike", "rows", "-o", "csv").out.splitlines()
    assert [line.split(",")[3] for line in lines] == ["status", "ok", "drop"]


def test_what_is_an_option_is_no_parameter(maoctl: Run, server: StubServer) -> None:
    result = maoctl("metric", "backtest", "spike", "--parameter", "method=mad")
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert "--method" in result.err


def test_a_wrong_parameter_is_refused_with_the_field_and_the_nearest_name(maoctl: Run, server: StubServer) -> None:
    rule = "Method 'adaptive' has no parameter 'treshold'. Did you mean 'threshold'?"
    refused = {"code": 422, "message": rule, "errors": {"query": {"treshold": [rule]}}}
    server.on("GET", f"{METRICS}/control/backtest", Reply(422, refused))
    result = maoctl("metric", "backtest", "spike", "--parameter", "treshold=1")
    assert result.exit == Exit.REFUSED
    assert "Did you mean 'threshold'?" in result.err


@pytest.mark.parametrize(
    ("option", "source"), [([], "files"), (["--from-history"], "history"), (["--from-runs"], "runs")]
)
def test_an_import_is_asked_for_until_it_is_done(
    maoctl: Run, server: StubServer, option: list[str], source: str
) -> None:
    count = {"metric": "control", "found": 300, "added": 299, "changed": 1, "leftOut": 0}
    done = {"metrics": [count], "notJudged": ["rows"], "isComplete": False, "leftOutMetrics": 7, "waitingMetrics": 3}
    working = Reply(202, {"code": 202, "message": "The agent is at work on the answer."})
    server.on("POST", f"{METRICS}/import", working, working, Reply(values=done))
    result = maoctl("metric", "import", "spike", *option)
    assert "299" in result.out
    assert "wants them not judged: rows." in result.err
    assert "import again later" in result.err
    assert "7 metric(s) were left out" in result.err
    assert "3 metric(s) were not reached in time; import again" in result.err
    first, *others = server.bodies("POST")
    assert first["source"] == source
    assert others == [first] * 2, "all ask for the same import"
    server.on("POST", f"{METRICS}/import", Reply(values=done))
    maoctl("metric", "import", "spike", *option)
    assert server.bodies("POST")[-1]["request"] != first["request"], "and another call for one of its own"
