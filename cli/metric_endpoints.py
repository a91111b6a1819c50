"""What the server offers about the metrics of tools: one method an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from cli.addresses import segment
from cli.client import Answer, Client, Json
from cli.errors import WrongUse
from cli.pages import Listing


class MetricEndpoints:
    """The part of ``Server`` that is about metrics."""

    _client: Client

    def list_metrics(self, tool: str, query: Json) -> Json:
        """Give the metrics of a tool in one clone, each with its newest point; ``query`` may hold clone."""
        return self._client.get(_metrics(tool), query).json

    def list_points(self, tool: str, metric: str, limit: int, query: Json) -> Listing:
        """List points of a metric, the newest first; ``query`` may hold clone, order and replaced."""
        return self._client.list(f"{_metrics(tool)}/{_segment(metric)}", limit, query)

    def each_point(self, tool: str, metric: str, query: Json) -> Iterator[Json]:
        """Give every point of a metric, the newest first."""
        return self._client.each(f"{_metrics(tool)}/{_segment(metric)}", query)

    def backtest(self, tool: str, metric: str, query: Json) -> Json:
        """Replay a metric; ``query`` may hold clone, method, from, and parameters by their names."""
        return self._client.get(f"{_metrics(tool)}/{_segment(metric)}/backtest", query).json

    def import_metrics(self, tool: str, body: Json) -> Answer:
        """Ask for an import; the agent may be at work on it (202). ``body`` holds source, and may hold clone."""
        return self._client.send("POST", f"{_metrics(tool)}/import", body=body)


def _metrics(tool: str) -> str:
    return f"/api/tools/{_segment(tool)}/metrics"


def _segment(name: str) -> str:
    """Give a name as one segment of a path; with a slash in it the server would look for another endpoint.

    Raises:
        WrongUse: it cannot be a segment.
    """
    if "/" in name:
        raise WrongUse(f"'{name}' is not a name.")
    return segment(name)
