"""Queries about the points of metrics for those who look at them: lists, pages, and all that a replay needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from app.models.metric import MetricPoint
from app.repositories.metrics import SeriesName


@dataclass(frozen=True)
class PointFilter:
    """Which points of a series are wanted: ``with_replaced`` also those that a newer one of their label replaced."""

    is_ascending: bool = False
    with_replaced: bool = False


class MetricReader:
    """Reads points over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def newest_clone(self, tool: str, metric: str | None = None) -> str | None:
        """Give the clone in which the tool, or one metric of it, has its newest point, or None where it has none."""
        newest = func.max(MetricPoint.measured_at)
        query = select(MetricPoint.clone).where(MetricPoint.tool == tool, MetricPoint.is_current)
        if metric is not None:
            query = query.where(MetricPoint.metric == metric)
        return self._session.scalar(query.group_by(MetricPoint.clone).order_by(newest.desc(), MetricPoint.clone))

    def counts(self, tool: str, clone: str) -> Mapping[str, int]:
        """Give the metrics of a tool in a clone, in the order of their names, with the number of points of each."""
        where = (MetricPoint.tool == tool, MetricPoint.clone == clone, MetricPoint.is_current)
        query = select(MetricPoint.metric, func.count()).where(*where).group_by(MetricPoint.metric)
        return {row[0]: row[1] for row in self._session.execute(query.order_by(MetricPoint.metric))}

    def newest_of_each(self, tool: str, clone: str, limit: int) -> Sequence[MetricPoint]:
        """Give the newest point of each metric of a tool in a clone, by name; of too many those heard of last."""
        where = (MetricPoint.tool == tool, MetricPoint.clone == clone, MetricPoint.is_current)
        order = (MetricPoint.sort_key.desc(), MetricPoint.id.desc())
        place = func.row_number().over(partition_by=MetricPoint.metric, order_by=order).label("place")
        found = select(MetricPoint.id, MetricPoint.measured_at, place).where(*where).subquery()
        last = select(found.c.id).where(found.c.place == 1)
        last = last.order_by(found.c.measured_at.desc(), found.c.id.desc()).limit(limit)
        query = select(MetricPoint).where(MetricPoint.id.in_(last)).order_by(MetricPoint.metric)
        return list(self._session.scalars(query))

    def newest(self, name: SeriesName, limit: int) -> Sequence[MetricPoint]:
        """Give the newest points of a series, oldest first."""
        query = select(MetricPoint).where(*_of(name), MetricPoint.is_current)
        query = query.order_by(MetricPoint.sort_key.desc(), MetricPoint.id.desc()).limit(limit)
        return list(self._session.scalars(query))[::-1]

    def page(self, name: SeriesName, wanted: PointFilter, after: int | None, limit: int) -> Sequence[MetricPoint]:
        """Give points of a series in its order, newest first or oldest first, beginning behind the one ``after``."""
        place = (MetricPoint.sort_key, MetricPoint.id)
        query = select(MetricPoint).where(*_of(name))
        if not wanted.with_replaced:
            query = query.where(MetricPoint.is_current)
        if after is not None:
            last = select(*place).where(MetricPoint.id == after).scalar_subquery()
            query = query.where(tuple_(*place) > last if wanted.is_ascending else tuple_(*place) < last)
        order = [column.asc() if wanted.is_ascending else column.desc() for column in place]
        return list(self._session.scalars(query.order_by(*order).limit(limit)))


def _of(name: SeriesName) -> tuple[ColumnElement[bool], ...]:
    return tuple(getattr(MetricPoint, column) == value for column, value in vars(name).items())
