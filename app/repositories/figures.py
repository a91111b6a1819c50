"""The figures that an operator watches, counted from the rows when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.models.job import Job
from app.models.metric import Incident
from app.models.notification import Delivery
from app.models.run import Run, RunStatus

# The word before the colon says what kind of thing a run waits for.
_WAITING = text("""
    select coalesce(split_part(waiting_for, ':', 1), 'agent') as reason, count(*) as runs,
           extract(epoch from clock_timestamp() - min(defined_at)) as oldest_seconds
      from runs where status in ('DEFINED', 'WAITING_LOCKS') and ended_at is null group by 1 order by 1
""")
_LIVE = (
    select(Run.status, func.count().label("runs"))
    .where(Run.ended_at.is_(None))
    .group_by(Run.status)
    .order_by(Run.status)
)
_IN_DOUBT = select(func.count()).select_from(Run).where(Run.status == RunStatus.IN_DOUBT)
_OVERDUE = select(func.extract("epoch", func.clock_timestamp() - func.min(Job.next_run_at))).where(
    Job.next_run_at <= func.clock_timestamp()
)
_NOT_DELIVERED = text("select count(*) from notifications where delivered_at is null")
_DELIVERIES = select(Delivery.channel, Delivery.state, func.count()).group_by(Delivery.channel, Delivery.state)
_DATABASE_BYTES = text("select pg_database_size(current_database())")


class FigureRepository:
    """Queries for the figures, over one session; never commits. None reads the history of ended runs."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def live(self) -> dict[str, int]:
        """Count the runs that are not over by their status."""
        return {str(row.status): row.runs for row in self._session.execute(_LIVE)}

    def waiting(self) -> Sequence[tuple[str, int, float]]:
        """Give, for each kind of thing that runs wait for: its word, how many wait, and the oldest's age in seconds."""
        return [(reason, count, float(oldest)) for reason, count, oldest in self._session.execute(_WAITING)]

    def in_doubt(self) -> int:
        """Count the runs that want a person."""
        return self._session.scalar(_IN_DOUBT) or 0

    def overdue_seconds(self) -> float:
        """Give for how long the job that is longest overdue has been due; 0 where none is."""
        return max(float(self._session.scalar(_OVERDUE) or 0), 0.0)

    def not_delivered(self) -> int:
        """Count the notifications that have not reached etcd."""
        return self._session.scalar(_NOT_DELIVERED) or 0

    def deliveries(self) -> dict[tuple[str, str], int]:
        """Count the deliveries that are kept by channel and state."""
        return {(channel, state): count for channel, state, count in self._session.execute(_DELIVERIES)}

    def open_incidents(self) -> dict[str, int]:
        """Count the incidents that are not over by their kind."""
        query = select(Incident.kind, func.count().label("incidents")).where(Incident.closed_at.is_(None))
        return {row.kind: row.incidents for row in self._session.execute(query.group_by(Incident.kind))}

    def database_bytes(self) -> int:
        """Give the size of the database on its server's disk."""
        return self._session.scalar(_DATABASE_BYTES) or 0
