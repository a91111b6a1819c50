"""Queries about the points of metrics: the numbers that runs reported, in the order of their series."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, text, update
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
    """A number that was judged, as it is to be stored; see ``MetricPoint``."""

    label: str
    sort_key: str
    measured_at: datetime
    value: float | None
    reported: str
    judged: str
    standing: str
    status: str
    verdict: dict[str, Any]
    source: str
    run_id: int | None = None


@dataclass(frozen=True)
class StoredPoint:
    """What later points are judged by: a point without the verdict on it."""

    id: int
    label: str
    sort_key: str
    measured_at: datetime
    value: float | None
    standing: str


class MetricRepository:
    """Points over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def past(self, name: SeriesName, before: str, limit: int = 1000) -> list[StoredPoint]:
        """Give the newest points of a series whose sort key is less than ``before``, oldest first."""
        columns = [getattr(MetricPoint, column.name) for column in fields(StoredPoint)]
        query = select(*columns).where(*self._of(name), MetricPoint.sort_key < before)
        query = query.order_by(MetricPoint.sort_key.desc(), MetricPoint.id.desc()).limit(limit)
        return [StoredPoint(*row) for row in self._session.execute(query)][::-1]

    def count(self, name: SeriesName) -> int:
        """Count the points of a series."""
        return int(self._session.scalar(select(func.count()).where(*self._of(name))) or 0)

    def known_labels(self, name: SeriesName) -> set[str]:
        """Give the labels of a series, and those that runs of other tools reported of that metric in the clone."""
        place = (MetricPoint.clone == name.clone, MetricPoint.metric == name.metric, MetricPoint.is_current)
        is_told = or_(MetricPoint.tool == name.tool, MetricPoint.run_id.is_not(None))
        return set(self._session.scalars(select(MetricPoint.label).where(*place, is_told)))

    def newest_run(self, clone: str, tool: str) -> int | None:
        """Give the newest run of which a tool has points in a clone."""
        of_tool = (MetricPoint.clone == clone, MetricPoint.tool == tool, MetricPoint.is_current)
        return self._session.scalar(select(func.max(MetricPoint.run_id)).where(*of_tool))

    def retire(self, clone: str, tool: str) -> None:
        """Let no point that a tool has in a clone judge anything any more; all are kept."""
        of_tool = (MetricPoint.clone == clone, MetricPoint.tool == tool, MetricPoint.is_current)
        self._session.execute(update(MetricPoint).where(*of_tool).values(is_current=False))

    def of_run(self, run_id: int) -> list[MetricPoint]:
        """Give what a run reported, in the order of the metrics' names."""
        query = select(MetricPoint).where(MetricPoint.run_id == run_id).order_by(MetricPoint.metric)
        return list(self._session.scalars(query))

    def add(self, name: SeriesName, points: Sequence[NewPoint]) -> None:
        """Store points. What a run reports takes the place of a point that has its label; the older one is kept.

        A point of another source is left out where the label has one, so that two who read a file store it once.
        """
        self.hold(name)
        self.supersede(name, [point.label for point in points if point.run_id is not None])
        rows = [{**vars(name), **vars(point), "recorded_at": utc_now()} for point in points]
        if rows:
            statement = insert(MetricPoint).values(rows)
            self._session.execute(
                statement.on_conflict_do_nothing(index_elements=_CURRENT_LABEL, index_where=text("is_current"))
            )

    def hold(self, name: SeriesName) -> None:
        """Keep everybody else from storing points of this tool and clone until the transaction ends.

        Else a run and an import that store the same label at once would not see each other, and the run's be lost.
        """
        key = func.hashtextextended(f"metrics {name.clone} {name.tool}", 0)
        self._session.execute(select(func.pg_advisory_xact_lock(key)))

    def supersede(self, name: SeriesName, labels: Collection[str]) -> None:
        """Let the points with these labels judge nothing any more; they are kept."""
        current = update(MetricPoint).where(*self._of(name), MetricPoint.label.in_(labels))
        self._session.execute(current.values(is_current=False))

    def set_standing(self, ids: Collection[int], standing: str, *, only_from: str | None = None) -> None:
        """Let points stand so from now on, for those that are judged after it.

        With ``only_from`` those alone that stand so now: what somebody decided about meanwhile is left as it is.
        """
        statement = update(MetricPoint).where(MetricPoint.id.in_(ids))
        if only_from is not None:
            statement = statement.where(MetricPoint.standing == only_from)
        self._session.execute(statement.values(standing=standing))

    def _of(self, name: SeriesName) -> tuple[Any, ...]:
        same = (getattr(MetricPoint, column) == value for column, value in vars(name).items())
        return *same, MetricPoint.is_current
