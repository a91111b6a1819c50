"""Deliveries: what becomes of each notification at each receiver outside of this node."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, Update, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.notification import Channel, Delivery, DeliveryState, Notification

Receiver = tuple[Channel, str]
"""A channel and a target."""


@dataclass(frozen=True)
class Listed:
    """A delivery with what it delivers, as it is shown; ``due_at`` is None where nothing more is to be done."""

    id: str
    kind: str
    tool: str
    channel: str
    target: str
    state: str
    attempts: int
    message: str | None
    due_at: datetime | None
    finished_at: datetime | None

    @property
    def place(self) -> tuple[str, str, str]:
        """What it is listed by."""
        return self.id, self.channel, self.target


class DeliveryRepository:
    """Queries about deliveries, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unspread(self, limit: int = 100) -> Sequence[Notification]:
        """Give the notifications that have not been spread, oldest first."""
        query = select(Notification).where(Notification.spread_at.is_(None)).order_by(Notification.ulid)
        return list(self._session.scalars(query.limit(limit)))

    def spread(self, ulid: str, receivers: Collection[Receiver]) -> bool:
        """Write a delivery to each receiver, by a conditional UPDATE; give False where somebody has done it before."""
        now = utc_now()
        mark = update(Notification).where(Notification.ulid == ulid, Notification.spread_at.is_(None))
        if self._session.scalar(mark.values(spread_at=now).returning(Notification.ulid)) is None:
            return False
        rows = [
            {"ulid": ulid, "channel": channel, "target": target, "state": DeliveryState.PENDING, "due_at": now}
            for channel, target in receivers
        ]
        if rows:
            self._session.execute(insert(Delivery).on_conflict_do_nothing(), rows)
        return True

    def due(self, limit_each: int) -> Sequence[Delivery]:
        """Give what is due now, oldest first, and of one receiver ``limit_each`` at most."""
        place = func.row_number().over(
            partition_by=(Delivery.channel, Delivery.target), order_by=(Delivery.due_at, Delivery.ulid)
        )
        is_due = (Delivery.state == DeliveryState.PENDING, Delivery.due_at <= utc_now())
        ranked = select(Delivery.ulid, Delivery.channel, Delivery.target, place.label("place")).where(*is_due)
        found = ranked.subquery()
        first = select(found.c.ulid, found.c.channel, found.c.target).where(found.c.place <= limit_each)
        query = select(Delivery).where(tuple_(Delivery.ulid, Delivery.channel, Delivery.target).in_(first))
        return list(self._session.scalars(query.order_by(Delivery.due_at, Delivery.ulid)))

    def claim(self, delivery: Delivery, next_at: datetime) -> Notification | None:
        """Count an attempt that begins now, and give what to send; None where somebody else has it in hand.

        It is due again at ``next_at``, so an attempt that nobody finishes is made again then.
        """
        conditional = self._pending(delivery).where(Delivery.attempts == delivery.attempts)
        claimed = conditional.values(attempts=Delivery.attempts + 1, due_at=next_at).returning(Delivery.ulid)
        if self._session.scalar(claimed) is None:
            return None
        return self._session.get(Notification, delivery.ulid)

    def finish(self, delivery: Delivery, state: DeliveryState, message: str | None) -> None:
        """Note that a delivery is over, unless it is so already."""
        self._session.execute(self._pending(delivery).values(state=state, message=message, finished_at=utc_now()))

    def note_failure(self, delivery: Delivery, message: str) -> None:
        """Note why an attempt failed; the delivery stays due at the time that its claim has set."""
        self._session.execute(self._pending(delivery).values(message=message))

    def list(
        self, *, state: str | None = None, after: tuple[str, str, str] | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        """Give deliveries, those of the newest notifications first, beginning behind ``after``."""
        query: Select[Delivery, str, str] = select(Delivery, Notification.kind, Notification.tool)
        query = query.join(Notification, Notification.ulid == Delivery.ulid)
        place = tuple_(Delivery.ulid, Delivery.channel, Delivery.target)
        if state is not None:
            query = query.where(Delivery.state == state)
        if after is not None:
            query = query.where(place < after)
        order = (Delivery.ulid.desc(), Delivery.channel.desc(), Delivery.target.desc())
        return [_listed(row) for row in self._session.execute(query.order_by(*order).limit(limit))]

    def _pending(self, delivery: Delivery) -> Update:
        return update(Delivery).where(
            Delivery.ulid == delivery.ulid,
            Delivery.channel == delivery.channel,
            Delivery.target == delivery.target,
            Delivery.state == DeliveryState.PENDING,
        )


def _listed(row: Row[Delivery, str, str]) -> Listed:
    delivery, kind, tool = row
    return Listed(
        id=delivery.ulid,
        kind=kind,
        tool=tool,
        channel=delivery.channel,
        target=delivery.target,
        state=delivery.state,
        attempts=delivery.attempts,
        message=delivery.message,
        due_at=delivery.due_at if delivery.finished_at is None else None,
        finished_at=delivery.finished_at,
    )
