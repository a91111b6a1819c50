"""Queries about incidents, and about the runs that open and close them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, column, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from app.models.metric import CONTROL, Incident, IncidentEnd, IncidentKind, MetricPoint
from app.models.run import Run

_LONGEST_LOOK = 1500
"""How many of a tool's runs are looked at, judged or not: a day of runs that come every minute."""


@dataclass(frozen=True)
class JudgedRun:
    """What was found of each metric of a run, and when the run ended."""

    id: int
    ended_at: datetime
    statuses: Mapping[str, str]


class IncidentRepository:
    """Incidents over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def hold(self, tool: str) -> None:
        """Keep everybody else from changing the tool's incidents and decisions until the transaction ends."""
        self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"incidents {tool}"))))

    def newest(self, tool: str, kind: IncidentKind) -> Incident | None:
        """Give the incident of that kind that the tool had last, open or not; None where it never had one."""
        query = select(Incident).where(Incident.tool == tool, Incident.kind == kind)
        return self._session.scalar(query.order_by(Incident.id.desc()).limit(1))

    def find_open(self, tool: str, kind: IncidentKind) -> Incident | None:
        """Give the tool's open incident of that kind, or None."""
        query = select(Incident).where(Incident.tool == tool, Incident.kind == kind, Incident.closed_at.is_(None))
        return self._session.scalar(query)

    def open(self, incident: Incident) -> Incident | None:
        """Store a new incident and give it, or None where the tool has an open one of its kind."""
        columns = {key: value for key, value in vars(incident).items() if not key.startswith("_")}
        statement = insert(Incident).values(columns).on_conflict_do_nothing().returning(Incident)
        return self._session.scalar(statement)

    def close(self, incident: Incident, because: IncidentEnd, at: datetime, run_id: int | None = None) -> None:
        """Note that an incident is over, why, and which run showed it."""
        incident.closed_at, incident.closed_because, incident.closed_by_run = at, because, run_id
        self._session.flush()

    def all_open(self, kind: IncidentKind | None = None) -> Sequence[Incident]:
        """Give every open incident, the oldest first; with ``kind`` only those."""
        query = select(Incident).where(Incident.closed_at.is_(None), *_equal(kind=kind)).order_by(Incident.id)
        return list(self._session.scalars(query))

    def untold(self) -> Sequence[Incident]:
        """Give the open incidents whose opening was told to nobody."""
        query = select(Incident).where(Incident.closed_at.is_(None), Incident.told_at.is_(None))
        return list(self._session.scalars(query.order_by(Incident.id)))

    def list(
        self,
        *,
        tool: str | None = None,
        kind: str | None = None,
        is_open: bool | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Incident]:
        """Give incidents, newest first, beginning behind (with a lesser number than) ``before``."""
        query = select(Incident).where(*_equal(tool=tool, kind=kind))
        if is_open is not None:
            query = query.where(Incident.closed_at.is_(None) == is_open)
        if before is not None:
            query = query.where(Incident.id < before)
        return list(self._session.scalars(query.order_by(Incident.id.desc()).limit(limit)))

    def judged_before(self, run: Run, limit: int) -> Sequence[JudgedRun]:
        """Give the newest runs of a run's tool, other than itself, that were judged and are over; newest first.

        Of the tool's newest runs 1,500 are looked at, however many of those were not judged.
        """
        newest = (
            select(Run.id, Run.ended_at, Run.defined_at, Run.spike)
            .where(Run.tool == run.tool, Run.id != run.id)
            .order_by(Run.defined_at.desc(), Run.id.desc())
            .limit(_LONGEST_LOOK)
            .subquery()
        )
        each = func.jsonb_each(newest.c.spike["metrics"]).table_valued("key", column("value", JSONB))
        # The verdicts themselves, which are long, stay in the database.
        statuses = select(func.jsonb_object_agg(each.c.key, each.c.value["status"])).scalar_subquery()
        worst = (newest.c.spike["metric"].astext, newest.c.spike["status"].astext)
        query = select(newest.c.id, newest.c.ended_at, statuses, *worst)
        query = query.where(newest.c.spike["status"].is_not(None), newest.c.ended_at.is_not(None))
        query = query.order_by(newest.c.defined_at.desc(), newest.c.id.desc()).limit(limit)
        rows = self._session.execute(query)
        return [JudgedRun(row[0], row[1], row[2] or {row[3] or CONTROL: row[4]}) for row in rows]

    def points_between(self, tool: str, first_run: int, last_run: int, standing: str) -> Sequence[MetricPoint]:
        """Give the points of a tool's runs from one number to another that stand so, in their order."""
        # Without the first point's number, the runs of all other tools would be walked through as well.
        first = select(func.min(MetricPoint.id)).where(MetricPoint.run_id == first_run).scalar_subquery()
        runs = (MetricPoint.id >= first, MetricPoint.run_id >= first_run, MetricPoint.run_id <= last_run)
        query = select(MetricPoint).where(MetricPoint.tool == tool, *runs, MetricPoint.standing == standing)
        return list(self._session.scalars(query.where(MetricPoint.is_current).order_by(MetricPoint.id)))


def _equal(**wanted: str | None) -> list[ColumnElement[bool]]:
    return [getattr(Incident, column) == value for column, value in wanted.items() if value is not None]
