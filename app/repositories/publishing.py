"""What was published of runs, and what is still to be: pushes, entries of the index, files kept out of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.run import PushState, QuarantineState, Run

_OPEN = (PushState.PENDING, PushState.REFUSED)
_ASKED = (QuarantineState.PROMOTING, QuarantineState.DISCARDING)


class PublishRepository:
    """Queries about publishing, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def due_clones(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Give the clones of which something is to be pushed by now."""
        query = select(Run.clone).where(Run.push_state.in_(_OPEN), Run.push_due_at <= now, Run.ended_at.is_not(None))
        return [clone for clone in self._session.scalars(query.distinct().limit(limit)) if clone is not None]

    def open_of(self, clone: str, limit: int = 1000) -> Sequence[Run]:
        """Give the runs of a clone whose commits are still to be pushed, oldest first."""
        query = select(Run).where(Run.clone == clone, Run.push_state.in_(_OPEN), Run.push_due_at.is_not(None))
        return list(self._session.scalars(query.order_by(Run.id).limit(limit)))

    def move_commits(self, clone: str, commits: Mapping[str, str]) -> None:
        """Note where the commits of runs came to lie: each with the commit that it became."""
        moved = [{"old": old, "new": new, "of": clone} for old, new in commits.items() if old != new]
        if moved:
            statement = update(Run).where(Run.clone == bindparam("of"), Run.output_commit == bindparam("old"))
            self._session.connection().execute(statement.values(output_commit=bindparam("new")), moved)

    def note(self, clone: str, commits: Iterable[str], state: PushState, message: str | None) -> Sequence[Run]:
        """Set the state of the runs that made the commits, and give those for which it is news."""
        statement = update(Run).where(Run.clone == clone, Run.output_commit.in_(list(commits)))
        statement = statement.where(or_(Run.push_state.is_(None), Run.push_state != state))
        columns = {"push_state": state, "push_message": message, "push_due_at": None}
        return list(self._session.scalars(statement.values(columns).returning(Run)))

    def note_failure(self, run_id: int, state: PushState, message: str, due_at: datetime | None) -> None:
        """Note why a push did not go, and when it is tried again, unless it has gone meanwhile."""
        columns = {"push_state": state, "push_message": message, "push_due_at": due_at}
        statement = update(Run).where(Run.id == run_id, Run.push_state.in_(_OPEN))
        self._session.execute(statement.values(push_failures=Run.push_failures + 1, **columns))

    def not_indexed(self, limit: int = 100) -> Sequence[Run]:
        """Give runs whose commits are at the remote and not in the index yet, oldest first."""
        query = select(Run).where(Run.push_state == PushState.PUSHED, Run.indexed_at.is_(None))
        return list(self._session.scalars(query.where(Run.ended_at.is_not(None)).order_by(Run.id).limit(limit)))

    def mark_indexed(self, run_id: int) -> None:
        """Note that the index has the run's entry."""
        self._session.execute(update(Run).where(Run.id == run_id).values(indexed_at=utc_now()))

    def decide(self, run_id: int, state: QuarantineState, by: str) -> bool:
        """Ask for files that are held to be promoted or discarded; give False where none are held."""
        columns = {"quarantine_decided_by": by, "quarantine_decided_at": utc_now(), "quarantine_message": None}
        statement = update(Run).where(Run.id == run_id, Run.ended_at.is_not(None))
        return self._change(statement, QuarantineState.HELD, state, columns)

    def settle(self, run_id: int, old: QuarantineState, new: QuarantineState, **columns: Any) -> bool:
        """Note what became of a decision, by a conditional UPDATE; give whether the row changed."""
        return self._change(update(Run).where(Run.id == run_id), old, new, columns)

    def asked(self, clone: str | None = None, limit: int = 100) -> Sequence[Run]:
        """Give the runs, all or those of one clone, of which files are to be promoted or discarded, oldest first."""
        query = select(Run).where(Run.quarantine_state.in_(_ASKED)).order_by(Run.id)
        if clone is not None:
            query = query.where(Run.clone == clone)
        return list(self._session.scalars(query.limit(limit)))

    def _change(self, statement: Any, old: QuarantineState, new: QuarantineState, columns: Mapping[str, Any]) -> bool:
        conditional = statement.where(Run.quarantine_state == old).values(quarantine_state=new, **columns)
        return self._session.execute(conditional.returning(Run.id)).first() is not None
