"""Replay a stored series: what another method, or other parameters, would have said of each point."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from app.errors import Invalid
from app.models.metric import MetricPoint
from app.models.tool import Tool
from app.repositories.database import Database, Session
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.metric_reading import MetricReader
from app.repositories.metrics import SeriesName
from app.repositories.registry import Registry
from app.services.metric_choices import Choice, choice_of, reported_together, share_of
from app.services.metrics import MOST_LISTED, bare_entry, entry_of, series_of
from app.spike import METHODS, Point, Standing, Status, Verdict, checked_parameters, replay

METHOD_NAMES = list(METHODS)
PARAMETERS = {
    name: [method for method, known in METHODS.items() if name in known.defaults]
    for name in sorted({name for known in METHODS.values() for name in known.defaults})
}
"""Every parameter, with the methods that have it."""
MOST_POINTS = 2_000
"""Measured: the slowest method takes 1.8 s for so many. More would hold a thread of the API for longer than that."""


@dataclass(frozen=True)
class Backtest:
    """What a replay found: each point with the verdict that it would have had.

    An alarm is a stretch of anomalies without another verdict between them. ``recorded_alarms`` counts those that were
    stored, ``agreeing`` the points on which both say the same about being anomalous. ``is_cut`` tells that the series
    has older points than were replayed, ``is_judged`` whether the tool's entry wants runs to be judged by the metric.
    """

    name: SeriesName
    method: str
    parameters: Mapping[str, float]
    results: Sequence[tuple[MetricPoint, Verdict]]
    is_cut: bool
    is_judged: bool = True

    @property
    def points(self) -> int:
        """How many points there are."""
        return len(self.results)

    @property
    def alarms(self) -> int:
        """How many alarms there would have been."""
        return _stretches([verdict.status.is_anomaly for _, verdict in self.results])

    @property
    def anomalies(self) -> int:
        """How many points would have been anomalous."""
        return sum(verdict.status.is_anomaly for _, verdict in self.results)

    @property
    def recorded_alarms(self) -> int:
        """How many alarms are on record."""
        return _stretches([_was_anomaly(point) for point, _ in self.results])

    @property
    def recorded_anomalies(self) -> int:
        """How many points are on record as anomalous."""
        return sum(_was_anomaly(point) for point, _ in self.results)

    @property
    def agreeing(self) -> int:
        """On how many points the replay and the record agree whether they are anomalous."""
        return sum(_was_anomaly(point) == verdict.status.is_anomaly for point, verdict in self.results)


class BacktestService:
    """Reads what is stored and stores nothing."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def run(
        self,
        tool: str,
        metric: str,
        clone: str | None = None,
        *,
        method: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        since: datetime | None = None,
    ) -> Backtest:
        """Replay the newest points of a metric; those measured before ``since`` are the past, and are not shown.

        Without a ``method`` it is the tool's own with its parameters, of which ``parameters`` replace some. What a
        person decided about a point holds.

        Raises:
            NotFound: the tool has no such metric.
            Invalid: there is no such method or parameter; the nearest name is told.
        """
        entry = entry_of(self._registry, tool) or bare_entry(tool)
        choice = _choice(entry, metric, method, parameters or {})
        settings = _checked(choice)
        with self._database.reading_transaction() as session:
            name, reader = series_of(session, tool, metric, clone), MetricReader(session)
            stored = reader.newest(name, MOST_POINTS + 1)
            last = reader.newest_of_each(tool, name.clone, MOST_LISTED)
            decided = _decided(session, tool, [point.id for point in stored])
        together = reported_together({point.metric: (point.measured_at, point.label) for point in last})
        points, share = stored[-MOST_POINTS:], share_of(entry, metric, together)
        series = [_as_it_came(point, is_decided=point.id in decided) for point in points]
        verdicts = replay(series, choice.method, settings, share=share)
        results = [pair for pair in zip(points, verdicts, strict=True) if since is None or pair[0].measured_at >= since]
        is_judged = choice_of(entry, metric) is not None
        return Backtest(name, choice.method, settings, results, len(stored) > len(points), is_judged)


def _choice(entry: Tool, metric: str, method: str | None, parameters: Mapping[str, Any]) -> Choice:
    own = choice_of(entry, metric) or Choice()
    if method is not None and method != own.method:
        return Choice(method, parameters)
    return replace(own, parameters={**own.parameters, **parameters})


def _checked(choice: Choice) -> dict[str, float]:
    """Give every parameter of the choice.

    Raises:
        Invalid: it cannot be used; the field is named.
    """
    try:
        return checked_parameters(choice.method, choice.parameters)
    except ValueError as error:
        raise Invalid(str(error), fields={_wrong_field(choice): [str(error)]}) from error


def _wrong_field(choice: Choice) -> str:
    if choice.method not in METHODS:
        return "method"
    for name, value in choice.parameters.items():
        try:
            checked_parameters(choice.method, {name: value})
        except ValueError:
            return str(name)
    return "method"


def _decided(session: Session, tool: str, ids: Collection[int]) -> set[int]:
    """Give the points about which a decision of a person is in force."""
    decisions = MetricDecisionRepository(session).about(tool, ids)
    return {number for decision in decisions if decision.undone_at is None for number in decision.points}


def _as_it_came(point: MetricPoint, *, is_decided: bool) -> Point:
    return Point(point.value, point.measured_at, Standing(point.standing) if is_decided else None)


def _was_anomaly(point: MetricPoint) -> bool:
    return Status(point.status).is_anomaly


def _stretches(flags: Sequence[bool]) -> int:
    return sum(is_anomaly for is_anomaly, _ in groupby(flags))
