"""The figures of this node for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.security import requires
from app.services.figures import Figure

blueprint = Blueprint("metrics", __name__, description="Figures for Prometheus.")
TEXT = {"type": "string", "example": "mao_slots 4.0"}


class _Gauges(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for figure in self._figures:
            family = GaugeMetricFamily(figure.name, figure.about, labels=[figure.label] if figure.label else [])
            for label, value in figure.values.items():
                family.add_metric([label] if figure.label else [], value)
            yield family


@blueprint.route("/metrics")
@requires()
@blueprint.response(200, TEXT, content_type="text/plain")
def read_metrics() -> Response:
    """Read this node's figures in the text format of Prometheus.

    They are counted from the rows when they are asked for, so every API process gives the same.
    """
    registry = CollectorRegistry()
    registry.register(_Gauges(services().figures.read()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
