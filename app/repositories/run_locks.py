"""Which runs hold locks and which want some. The locks themselves are in etcd; the rows say whose lease is whose."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.models.agent import Agent
from app.models.run import HELD, Run, RunStatus
from app.repositories.kv import Lease
from app.repositories.runs import RunRepository


@dataclass(frozen=True)
class Holding:
    """A run with a lease: what it holds, or held while its lease lasted."""

    run_id: int
    status: RunStatus
    keys: tuple[str, ...]
    token: int | None
    lease: int

    @property
    def is_at_work(self) -> bool:
        """Tell whether an agent has the run in hand."""
        return self.status in HELD

    @property
    def is_ready(self) -> bool:
        """Tell whether the run has its locks and waits to be claimed."""
        return self.status is RunStatus.WAITING_LOCKS and self.token is not None


class RunLockRepository:
    """Queries about the locks of runs, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def has_any(self) -> bool:
        """Tell whether any run holds locks or may want some; where none does, this is all that locks cost."""
        return bool(self._session.scalar(_HAS_ANY))

    def holdings(self) -> Sequence[Holding]:
        """Give every run with a lease, in the order of the runs' numbers."""
        return [
            Holding(run_id, RunStatus(status), tuple(keys), token, lease or 0)
            for run_id, status, keys, token, lease in self._session.execute(_HOLDINGS)
        ]

    def now(self) -> datetime:
        """Give the time by the database's clock."""
        now: datetime = self._session.execute(select(func.clock_timestamp())).scalar_one()
        return now

    def forget_waiting(self) -> None:
        """Let all runs that have locks and were not claimed take them anew: nobody knows how old the leases are."""
        self._session.execute(
            update(Run)
            .where(Run.status == RunStatus.WAITING_LOCKS, Run.lock_lease.is_not(None), Run.lock_token.is_not(None))
            .values(lock_token=None, lock_lease=None)
        )

    def note_renewed(self, leases: Collection[int], valid_until: datetime) -> None:
        """Note until when the runs with these leases may be claimed with their locks."""
        self._session.execute(
            update(Run)
            .where(Run.status == RunStatus.WAITING_LOCKS, Run.lock_lease.in_(leases))
            .values(lock_valid_until=valid_until)
        )

    def note_taken(self, run_id: int, lease: Lease, valid_until: datetime, *, node: str, epoch: int) -> bool:
        """Note that a waiting run has its locks and may be claimed until ``valid_until``, and wake the dispatcher.

        Nothing changes, and False is given, where the run waits no more or the epoch's term of office is over.
        """
        # Sharing the agent's row keeps a new term from beginning between the question and the commit.
        query = select(Agent.node).where(Agent.node == node, Agent.epoch == epoch).with_for_update(read=True)
        if self._session.scalar(query) is None:
            return False
        statement = (
            update(Run)
            .where(
                Run.id == run_id,
                Run.status == RunStatus.WAITING_LOCKS,
                Run.lock_token.is_(None),
                Run.lock_lease.is_(None),
            )
            .values(
                lock_token=lease.token,
                lock_lease=lease.id,
                lock_valid_until=valid_until,
                waiting_for="agent: it begins in a moment",
            )
        )
        is_noted = self._session.execute(statement.returning(Run.id)).first() is not None
        if is_noted:
            RunRepository(self._session).wake(run_id, RunStatus.WAITING_LOCKS)
        return is_noted

    def forget_lease(self, holding: Holding) -> bool:
        """Note that a run's lease is not its own any more; give False where its state or lease has changed since.

        A run that was not claimed yet has to take its locks anew.
        """
        values = {"lock_lease": None} | ({"lock_token": None} if holding.is_ready else {})
        statement = (
            update(Run)
            .where(Run.id == holding.run_id, Run.lock_lease == holding.lease, Run.status == holding.status)
            .where(Run.lock_token.is_not_distinct_from(holding.token))
            .values(values)
        )
        return self._session.execute(statement.returning(Run.id)).first() is not None

    def warn_of_loss(self, holding: Holding, keys: Sequence[str], at: str) -> None:
        """Write on the run, once for each of ``keys``, that it lost that lock; ``at`` says when that was seen."""
        for key in keys:
            beginning = f"The lock '{key}' was lost"
            warning = f"{beginning}, as was seen at {at}; the tool may have run without it."
            values = {"id": holding.run_id, "lease": holding.lease, "beginning": beginning, "warning": warning}
            self._session.execute(_WARN, values)

    def explain(self, reasons: Mapping[int, str]) -> None:
        """Write on runs that want locks what each waits for."""
        self._session.execute(_EXPLAIN, {"ids": list(reasons), "reasons": list(reasons.values())})


_HAS_ANY = text("""
    select exists (select from runs where lock_lease is not null)
        or exists (select from runs where ended_at is null and locks <> '[]'::jsonb)
""")
_HOLDINGS = (
    select(Run.id, Run.status, Run.locks, Run.lock_token, Run.lock_lease)
    .where(Run.lock_lease.is_not(None))
    .order_by(Run.id)
)
_EXPLAIN = text("""
    with changed as (
        -- In the order of their numbers, as everybody takes several runs; one that somebody has is left for next time.
        select runs.id, given.reason
          from unnest(cast(:ids as bigint[]), cast(:reasons as varchar[])) as given (id, reason)
          join runs on runs.id = given.id
         where status = 'WAITING_LOCKS' and lock_token is null and waiting_for is distinct from given.reason
         order by runs.id for update of runs skip locked
    )
    update runs set waiting_for = changed.reason from changed where runs.id = changed.id
""")
_WARN = text("""
    update runs set warnings = warnings || jsonb_build_array(cast(:warning as text))
     where id = :id and lock_lease = :lease and not exists (
        select from jsonb_array_elements_text(warnings) as given where starts_with(given, :beginning))
""")
