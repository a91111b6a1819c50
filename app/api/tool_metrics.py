"""The metrics of a tool: their points, replaying them, and importing what an existing repository has."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.runs import READERS
from app.api.schemas.tool_metrics import (
    BacktestQuery,
    BacktestSchema,
    ImportSchema,
    MetricList,
    MetricsQuery,
    NewImport,
    PointPage,
    PointsQuery,
)
from app.api.security import Changes, requires
from app.models.token import Permission
from app.services.metrics import points_wanted

blueprint = Blueprint(
    "tool_metrics", __name__, url_prefix="/api/tools", description="The numbers that runs of a tool reported."
)


@blueprint.route("/<name>/metrics")
@requires(*READERS)
@blueprint.arguments(MetricsQuery, location="query")
@blueprint.response(200, MetricList)
@blueprint.alt_response(404, "NOT_FOUND")
def list_metrics(query: dict[str, Any], name: str) -> Any:
    """List the metrics of a tool on this node, each with its newest point and with how it is judged.

    A tool that was removed from the registry keeps them. Points are kept for ever.
    """
    return services().metrics.list(name, query["clone"])


@blueprint.route("/<name>/metrics/<metric>")
@requires(*READERS)
@blueprint.arguments(PointsQuery, location="query")
@blueprint.response(200, PointPage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_points(query: dict[str, Any], name: str, metric: str) -> Any:
    """List the points of a metric in the order of its series, the newest first unless asked otherwise."""
    wanted = points_wanted(query["order"], with_replaced=query["replaced"])
    fetch = partial(services().metrics.points, name, metric, query["clone"], wanted)
    return page(fetch, query["cursor"], query["limit"], key=lambda point: point.id)


@blueprint.route("/<name>/metrics/<metric>/backtest")
@requires(*READERS)
# A parameter that no method has gets to the service, which refuses it and names the nearest one.
@blueprint.arguments(BacktestQuery, location="query", unknown="include")
@blueprint.response(200, BacktestSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def backtest_metric(query: dict[str, Any], name: str, metric: str) -> Any:
    """Replay the newest points of a metric by a method, and tell what would have been alarmed. Nothing is stored.

    What people decided about points holds. At most 2,000 points are replayed.
    """
    how = {key: query.pop(key) for key in ("clone", "method", "since")}
    return services().backtests.run(name, metric, **how, parameters=query)


@blueprint.route("/<name>/metrics/import", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NewImport, example={"source": "history"})
@blueprint.response(200, ImportSchema)
@blueprint.alt_response(202, "ACCEPTED", success=True)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(502, "BAD_GATEWAY")
def import_metrics(values: dict[str, Any], name: str) -> Any:
    """Import points from a clone on this node or from the records of earlier runs.

    The agent does it; 202 says that it is at work, and whoever asks again gets the answer. What is there already stays
    as it is, but for numbers of files and histories that are others now; doing it twice adds nothing.
    """
    return services().metric_imports.request(name, **values)
