"""Metrics from memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.errors import NotFound
from app.models.metric import MetricPoint
from app.repositories.metric_reading import PointFilter
from app.repositories.metrics import SeriesName
from app.services.metric_backtests import Backtest
from app.services.metrics import MetricState, ToolMetrics
from app.spike import replay

from .samples import NOON, Recorder

SERIES = SeriesName("helm", "spike", "control")


def a_point(number: int, value: float | None = 900.0, **columns: Any) -> MetricPoint:
    verdict = {"expected": 900.0, "low": 890.0, "high": 930.0, "score": 0.1, "sentence": "900.", "basis": "the past"}
    known = {"label": f"control-{number}.csv", "sort_key": f"00{number}", "measured_at": NOON + timedelta(days=number)}
    stood = {"judged": "counted", "standing": "counted", "status": "ok", "verdict": verdict, "source": "run"}
    given = {"id": number, "value": value, "reported": str(value), "run_id": number, "is_current": True}
    return MetricPoint(**{**vars(SERIES), **known, **stood, **given, **columns})


class Metrics(Recorder):
    """The tool ``spike`` has one metric with three points."""

    def list(self, tool: str, clone: str | None = None) -> ToolMetrics:
        self.note("list", tool, clone)
        if tool != "spike":
            raise NotFound(f"This node has no metrics of a tool '{tool}'.")
        return ToolMetrics(
            "helm", [MetricState(SERIES, True, "rolling", 3, a_point(3), {"threshold": 6.0})], ["contrl"]
        )

    def points(
        self,
        tool: str,
        metric: str,
        clone: str | None,
        wanted: PointFilter,
        after: int | None = None,
        limit: int = 100,
    ) -> Sequence[MetricPoint]:
        self.note("points", tool, metric, clone, wanted, after, limit)
        known = [a_point(3), a_point(2, None, verdict={}, run_id=None), a_point(1)]
        return [point for point in known if after is None or point.id < after][:limit]


class Backtests(Recorder):
    """Replays a series by the method ``rolling``, whatever is asked."""

    def run(self, tool: str, metric: str, clone: str | None = None, **how: Any) -> Backtest:
        self.calls.append(("run", (tool, metric, clone), how))
        points = [a_point(number, value) for number, value in enumerate((100.0, 100.0, 1e308, 100.0), 1)]
        verdicts = replay([point.value for point in points], "rolling")
        return Backtest(SERIES, "rolling", {"threshold": 6.0}, list(zip(points, verdicts, strict=True)), is_cut=False)


class MetricImports(Recorder):
    """An import that found something."""

    def request(self, tool: str, source: str, clone: str | None = None, request: str | None = None) -> dict[str, Any]:
        self.note("request", tool, source, clone, request)
        count = {"metric": "control", "found": 3, "added": 2, "changed": 1, "left_out": 0}
        where = {"tool": tool, "clone": clone or "helm", "source": source}
        return {**where, "metrics": [count], "not_judged": ["rows"], "is_complete": True}
