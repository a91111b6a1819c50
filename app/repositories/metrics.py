"""Queries about the points of metrics: the numbers that runs reported, in the order of their series."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.metric import MetricPoint

_CURRENT_LABEL = ("clone", "tool", "metric", "label")


@dataclass(frozen=True)
class SeriesName:
    """What a series is known by."""

    clone: str
    tool: str
    metric: str


@dataclass(frozen=True)
class NewPoint:
    """A number that was judged, as it is to be stored; see ``MetricPoint``. ``standing`` is what its verdict gave."""

    label: str
    sort_key: str
    measured_at: datetime
    value: float | None
    reported: str
    standing: str
    status: str
    verdict: dict[str, Any]
    source: str
    run_id: int | None = None


class MetricRepository:
    """Points over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def series(self, name: SeriesName, *, before: str | None = None, limit: int = 1000) -> list[MetricPoint]:
        """Give the newest points of a series, oldest first; with ``before``, of those whose sort key is less."""
        query = self._current(name)
        if before is not None:
            query = query.where(MetricPoint.sort_key < before)
        query = query.order_by(MetricPoint.sort_key.desc(), MetricPoint.id.desc()).limit(limit)
        return list(self._session.scalars(query))[::-1]

    def count(self, name: SeriesName, *, before: str | None = None) -> int:
        """Count the points of a series; with ``before``, those whose sort key is less."""
        counted = self._current(name).with_only_columns(func.count())
        if before is not None:
            counted = counted.where(MetricPoint.sort_key < before)
        return int(self._session.scalar(counted) or 0)

    def known_labels(self, name: SeriesName) -> set[str]:
        """Give the labels that a series has."""
        return set(self._session.scalars(self._current(name).with_only_columns(MetricPoint.label)))

    def of_run(self, run_id: int) -> list[MetricPoint]:
        """Give what a run reported, in the order of the metrics' names."""
        query = select(MetricPoint).where(MetricPoint.run_id == run_id).order_by(MetricPoint.metric)
        return list(self._session.scalars(query))

    def add(self, name: SeriesName, points: Sequence[NewPoint]) -> None:
        """Store points; one whose label the series has already takes its place, and the older one is kept as it was.

        Two agents that store the same label at once store it once.
        """
        labels = [point.label for point in points]
        replaced = update(MetricPoint).where(*self._of(name), MetricPoint.label.in_(labels))
        self._session.execute(replaced.values(is_current=False))
        rows = [{**vars(name), **vars(point), "judged": point.standing, "recorded_at": utc_now()} for point in points]
        if rows:
            statement = insert(MetricPoint).values(rows)
            self._session.execute(
                statement.on_conflict_do_nothing(index_elements=_CURRENT_LABEL, index_where=text("is_current"))
            )

    def set_standing(self, ids: Collection[int], standing: str) -> None:
        """Let points stand so from now on, for those that are judged after it."""
        self._session.execute(update(MetricPoint).where(MetricPoint.id.in_(ids)).values(standing=standing))

    def _current(self, name: SeriesName) -> Any:
        return select(MetricPoint).where(*self._of(name))

    def _of(self, name: SeriesName) -> tuple[Any, ...]:
        same = (getattr(MetricPoint, column) == value for column, value in vars(name).items())
        return *same, MetricPoint.is_current
