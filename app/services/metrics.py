"""Metrics, as a user sees them: the newest of each, and the points of one. Works without the tool's entry, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from app.errors import NotFound, nearest
from app.models.metric import MetricPoint
from app.models.tool import Tool
from app.repositories.database import Database, Session
from app.repositories.metric_reading import MetricReader, PointFilter
from app.repositories.metrics import SeriesName
from app.repositories.registry import Registry
from app.services.metric_choices import INCIDENTS, choice_of, is_declared
from app.spike import checked_parameters

MOST_LISTED = 1_000
"""Metrics of one tool and clone that are listed: those with the newest points."""


@dataclass(frozen=True)
class MetricState:
    """One metric of a tool in a clone: how it is judged now, how many points it has, and the newest of them.

    ``method`` is None where the tool's entry says that the metric is not judged.
    """

    name: SeriesName
    is_declared: bool
    method: str | None
    points: int
    newest: MetricPoint
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ToolMetrics:
    """What a tool has in a clone; ``without_points`` are names of its entry that no run has reported yet."""

    clone: str | None
    items: Sequence[MetricState]
    without_points: Sequence[str] = ()


class MetricService:
    """Reads what is stored, never a clone."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def list(self, tool: str, clone: str | None = None) -> ToolMetrics:
        """Give a clone and the metrics that the tool has there: that of its newest point, unless one is named.

        Of more than ``MOST_LISTED`` metrics it is those with the newest points.

        Raises:
            NotFound: there is no such tool and nothing was ever stored of one, or nothing in that clone.
        """
        entry = entry_of(self._registry, tool)
        with self._database.reading_transaction() as session:
            reader = MetricReader(session)
            found = clone or reader.newest_clone(tool)
            counts = reader.counts(tool, found) if found else {}
            newest = reader.newest_of_each(tool, found, MOST_LISTED) if found else ()
        if not counts and (entry is None or clone is not None):
            raise _nothing_of(tool, clone)
        known = entry or bare_entry(tool)
        states = [_state(known, point, counts[point.metric]) for point in newest]
        return ToolMetrics(found, states, sorted(known.metrics.keys() - counts.keys() - {INCIDENTS}))

    def points(
        self,
        tool: str,
        metric: str,
        clone: str | None,
        wanted: PointFilter,
        after: int | None = None,
        limit: int = 100,
    ) -> Sequence[MetricPoint]:
        """Give the points of one metric, beginning behind the one whose number is ``after``.

        Raises:
            NotFound: the tool has no such metric, or not in that clone; the nearest name is told.
        """
        with self._database.reading_transaction() as session:
            name = series_of(session, tool, metric, clone)
            return MetricReader(session).page(name, wanted, after, limit)


def points_wanted(order: str, *, with_replaced: bool) -> PointFilter:
    """Give the filter for the points of a series; ``order`` is ``newest`` or ``oldest``."""
    return PointFilter(is_ascending=order == "oldest", with_replaced=with_replaced)


def series_of(session: Session, tool: str, metric: str, clone: str | None) -> SeriesName:
    """Give the series of a metric in ``clone``, else in the clone with its newest point.

    Raises:
        NotFound: there is none; the nearest name is told.
    """
    reader = MetricReader(session)
    found = clone or reader.newest_clone(tool, metric)
    if found and reader.newest(SeriesName(found, tool, metric), 1):
        return SeriesName(found, tool, metric)
    elsewhere = clone or reader.newest_clone(tool)
    known = reader.counts(tool, elsewhere) if elsewhere else {}
    if not known:
        raise _nothing_of(tool, clone)
    where = f" in the clone '{clone}'" if clone else ""
    raise NotFound(
        f"Tool '{tool}' has no metric '{metric[:80]}'{where}.",
        hint=nearest(metric, known) or f"`maoctl metric get {tool}` lists what it has.",
    )


def entry_of(registry: Registry, tool: str) -> Tool | None:
    """Give the entry of a tool, or None where there is none any more."""
    with suppress(NotFound):
        return registry.get_tool(tool)[0]
    return None


def bare_entry(tool: str) -> Tool:
    """Give what stands for the entry of a tool that has none: every metric is judged as it is without a choice."""
    return Tool(name=tool, author="", image="", data_repo="", code_repo="", artefact="")


def _state(entry: Tool, newest: MetricPoint, points: int) -> MetricState:
    metric = newest.metric
    name, choice = SeriesName(newest.clone, newest.tool, metric), choice_of(entry, metric)
    if choice is None:
        return MetricState(name, is_declared(entry, metric), None, points, newest)
    parameters = dict(choice.parameters)
    with suppress(ValueError):
        parameters = checked_parameters(choice.method, parameters)
    return MetricState(name, is_declared(entry, metric), choice.method, points, newest, parameters)


def _nothing_of(tool: str, clone: str | None) -> NotFound:
    where = f" in a clone '{clone[:80]}'" if clone else ""
    return NotFound(
        f"This node has no metrics of a tool '{tool[:80]}'{where}.",
        hint="A run of the tool reports them, and `maoctl metric import` reads those of an existing repository.",
    )
