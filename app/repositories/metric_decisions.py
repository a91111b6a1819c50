"""Queries about what people decided about metrics, and about the points that they decided about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Select, cast, func, select, update
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models.metric import DecisionKind, MetricDecision, MetricPoint

SeriesPoints = Sequence[MetricPoint]


class MetricDecisionRepository:
    """Decisions over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, decision: MetricDecision) -> MetricDecision:
        """Store a new decision; its number is set afterwards."""
        self._session.add(decision)
        self._session.flush()
        return decision

    def get(self, tool: str, decision_id: int) -> MetricDecision:
        """Give a decision about a tool.

        Raises:
            NotFound: there is none with that number, or it is about another tool.
        """
        found = self._session.get(MetricDecision, decision_id) if abs(decision_id) < 2**63 else None
        if found is None or found.tool != tool:
            raise NotFound(
                f"There is no decision {decision_id} about '{tool}'.",
                hint=f"List the decisions with: maoctl tool decisions {tool}",
            )
        return found

    def list(self, tool: str, *, before: int | None = None, limit: int = 100) -> Sequence[MetricDecision]:
        """Give the decisions about a tool, newest first, beginning behind (with a lesser number than) ``before``."""
        query = select(MetricDecision).where(MetricDecision.tool == tool)
        if before is not None:
            query = query.where(MetricDecision.id < before)
        return list(self._session.scalars(query.order_by(MetricDecision.id.desc()).limit(limit)))

    def about(self, tool: str, points: Collection[int]) -> Sequence[MetricDecision]:
        """Give the decisions about any of these points of a tool, undone ones included, in their order."""
        touched = MetricDecision.points.op("&&")(cast(list(points), ARRAY(BigInteger)))
        query = select(MetricDecision).where(MetricDecision.tool == tool, touched)
        return list(self._session.scalars(query.order_by(MetricDecision.id)))

    def undo(self, decision_id: int, actor: str, why: str, at: datetime) -> bool:
        """Note who undid a decision, by one conditional UPDATE; False where somebody had undone it."""
        still = update(MetricDecision).where(MetricDecision.id == decision_id, MetricDecision.undone_at.is_(None))
        done = still.values(undone_by=actor, undone_why=why, undone_at=at).returning(MetricDecision.id)
        return self._session.scalar(done) is not None

    def muted_until(self, tool: str, at: datetime) -> datetime | None:
        """Give the end of the mute of a tool that lasts longest at that instant, or None where none lasts."""
        query = select(MetricDecision.until).where(
            MetricDecision.tool == tool,
            MetricDecision.kind == DecisionKind.MUTE,
            MetricDecision.undone_at.is_(None),
            MetricDecision.until > at,
        )
        return self._session.scalar(query.order_by(MetricDecision.until.desc()).limit(1))

    def metrics(self, tool: str) -> Sequence[str]:
        """Give the metrics that a tool has points of, in the order of their names."""
        query = select(MetricPoint.metric).where(MetricPoint.tool == tool, MetricPoint.is_current).distinct()
        return sorted(self._session.scalars(query))

    def points(self, ids: Collection[int]) -> Sequence[MetricPoint]:
        """Give points by their numbers, those of a series together and in its order."""
        return list(self._session.scalars(_in_order().where(MetricPoint.id.in_(ids))))

    def newest_run(self, tool: str, metric: str | None) -> int | None:
        """Give the newest run that a tool (or one metric of it) has a current point of, or None."""
        wanted = [MetricPoint.tool == tool, MetricPoint.is_current, *_of(metric)]
        # Not that of the newest row: an import may have brought points of older runs after it.
        return self._session.scalar(select(func.max(MetricPoint.run_id)).where(*wanted))

    def labelled(self, tool: str, metric: str, labels: Collection[str]) -> Sequence[MetricPoint]:
        """Give the current points of a tool's metric that have one of these labels, in any clone."""
        wanted = [MetricPoint.tool == tool, MetricPoint.is_current, *_of(metric), MetricPoint.label.in_(labels)]
        return list(self._session.scalars(_in_order().where(*wanted)))

    def of_runs(self, tool: str, metric: str | None, first: int, last: int | None, limit: int) -> Sequence[MetricPoint]:
        """Give the current points of a tool's runs from one number to another (or of all that follow)."""
        wanted = [MetricPoint.tool == tool, MetricPoint.is_current, MetricPoint.run_id >= first, *_of(metric)]
        if last is not None:
            wanted.append(MetricPoint.run_id <= last)
        return list(self._session.scalars(_in_order().where(*wanted).limit(limit)))

    def newest_of_series(self, tool: str, metric: str | None, limit: int) -> Mapping[tuple[str, str], SeriesPoints]:
        """Give the newest ``limit`` points of each of a tool's series, oldest first, by clone and metric."""
        names = select(MetricPoint.clone, MetricPoint.metric).where(MetricPoint.tool == tool, MetricPoint.is_current)
        found: dict[tuple[str, str], SeriesPoints] = {}
        for clone, name in self._session.execute(names.where(*_of(metric)).distinct()):
            query = select(MetricPoint).where(
                MetricPoint.tool == tool, MetricPoint.clone == clone, MetricPoint.metric == name, MetricPoint.is_current
            )
            newest = query.order_by(MetricPoint.sort_key.desc(), MetricPoint.id.desc()).limit(limit)
            found[clone, name] = list(self._session.scalars(newest))[::-1]
        return dict(sorted(found.items()))


def _of(metric: str | None) -> list[ColumnElement[bool]]:
    return [] if metric is None else [MetricPoint.metric == metric]


def _in_order() -> Select[MetricPoint]:
    return select(MetricPoint).order_by(MetricPoint.clone, MetricPoint.metric, MetricPoint.sort_key, MetricPoint.id)
