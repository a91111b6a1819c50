"""The locks of this node's runs: taken before a run is claimed, renewed while it is held, given back when it is over.

A lock that was lost while its holder was frozen stops nobody, so nothing is killed for it. What protects the data is
the fencing token that the tool gets: it grows from one holder to the next, and whoever writes can compare it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from app.clock import utc_now
from app.errors import RegistryDown
from app.repositories.locks import LockRepository
from app.repositories.run_locks import Holding, RunLockRepository
from app.repositories.run_queue import RunQueue
from app.services.agent_context import AgentContext
from app.services.capacity import capacity_of
from app.services.lock_renewal import LeaseRenewer
from app.services.lock_taking import LockTaker

log = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 2.0
_SHORTEST_PAUSE_SECONDS = 0.5
_RENEWALS_A_LEASE = 4
_TRUSTED_PART = 2


class LockKeeper:
    """Looks after the locks of one term of office. ``tick`` is called by one thread, all else by any."""

    def __init__(self, context: AgentContext, locks: LockRepository, renewer: LeaseRenewer) -> None:
        self.has_waiting = False
        self._context = context
        self._locks = locks
        self._renewer = renewer
        self._taker = LockTaker(context, locks, renewer)
        self._lease_seconds = context.settings.limits.lock_seconds
        self._renewed_at: float | None = None
        self._ready_since: dict[int, float] = {}
        self._left_over: set[int] = set()
        self._mutex = threading.Lock()
        self._has_news = False
        self._is_busy = False

    @property
    def pause_seconds(self) -> float:
        """The longest pause between two ticks in which no lease can run out."""
        return min(_LONGEST_PAUSE_SECONDS, max(self._lease_seconds / _RENEWALS_A_LEASE, _SHORTEST_PAUSE_SECONDS))

    def tell(self) -> bool:
        """Note that a run or a lock has changed, and give whether ``tick`` has to be called for it."""
        with self._mutex:
            self._has_news = True
            return not self._is_busy

    def tick(self) -> None:
        """Give back, renew and take locks, again and again as long as something new was told meanwhile.

        Raises:
            RegistryDown: etcd does not answer. The runs that want locks say so.
        """
        self.tell()
        try:
            while self._has_work():
                self._look()
        finally:
            with self._mutex:
                self._is_busy = False

    def _has_work(self) -> bool:
        with self._mutex:
            self._is_busy, self._has_news = self._has_news, False
            return self._is_busy

    def _look(self) -> None:
        capacity = capacity_of(self._context)
        with self._context.database.transaction() as session:
            runs = RunLockRepository(session)
            if not (runs.has_any() or self._left_over):
                self._renewer.tell([])
                return
            holdings = runs.holdings()
            wanting = RunQueue(session).wanting_locks(capacity)
            # Asked before etcd is: however long we stand still after that, a lease is not believed to be younger.
            valid_until = runs.now() + timedelta(seconds=self._lease_seconds / _TRUSTED_PART)
        self.has_waiting = bool(wanting.runs)
        needed = self._needed(holdings)
        self._renewer.tell(holding.lease for holding in needed)
        try:
            self._give_back([holding for holding in holdings if holding not in needed])
            self._renew(needed, valid_until)
            self._taker.take(wanting, valid_until)
        except RegistryDown:
            self._taker.explain_outage(wanting.runs)
            raise

    def _needed(self, holdings: Sequence[Holding]) -> list[Holding]:
        """Give those that are at work, or had their locks for no longer than it may take to be claimed."""
        now = time.monotonic()
        ready = [holding.lease for holding in holdings if holding.is_ready]
        self._ready_since = {lease: self._ready_since.get(lease, now) for lease in ready}
        # Something came in between, such as the last free slot: others are not to wait for a run that cannot begin.
        late = {lease for lease, since in self._ready_since.items() if now - since >= self._lease_seconds}
        return [
            holding for holding in holdings if holding.is_at_work or (holding.is_ready and holding.lease not in late)
        ]

    def _give_back(self, holdings: Sequence[Holding]) -> None:
        """Free the locks of runs that need them no more."""
        for holding in holdings:
            is_kept = self._locks.renew(holding.lease)
            # The row forgets the lease first. The other way round, a crash in between would look like a lost lock.
            if self._forget(holding, [] if is_kept or holding.is_ready else holding.keys) and is_kept:
                self._left_over.add(holding.lease)
        for lease in list(self._left_over):
            self._locks.give_back(lease)
            self._left_over.discard(lease)

    def _renew(self, holdings: Sequence[Holding], valid_until: datetime) -> None:
        """Keep the leases for another while, where it is time for that, and see which locks are lost."""
        now = time.monotonic()
        if self._renewed_at is not None and now - self._renewed_at < self._lease_seconds / _RENEWALS_A_LEASE:
            return
        kept = {holding.lease for holding in holdings if self._locks.renew(holding.lease)}
        ready = {holding.lease for holding in holdings if holding.is_ready}
        held = self._locks.held() if holdings else {}
        for holding in holdings:
            lost = [key for key in holding.keys if key not in held or held[key].lease != holding.lease]
            if lost or holding.lease not in kept:
                self._lose(holding, lost, is_over=holding.lease not in kept)
        self._note_renewed(ready & kept, valid_until)
        self._renewed_at = now

    def _note_renewed(self, leases: set[int], valid_until: datetime) -> None:
        """Let the runs that only wait for a slot be claimed with their locks for another while."""
        if leases:
            with self._context.database.transaction() as session:
                RunLockRepository(session).note_renewed(leases, valid_until)

    def _lose(self, holding: Holding, keys: Sequence[str], *, is_over: bool) -> None:
        """Let a run that was not claimed yet take its locks anew; write on any other that it lost them."""
        log.warning("Run %s has lost the locks %s.", holding.run_id, ", ".join(keys))
        if is_over or holding.is_ready:
            is_forgotten = self._forget(holding, [] if holding.is_ready else keys)
            if is_forgotten and not is_over:
                self._left_over.add(holding.lease)
        else:
            # Somebody broke one lock of several; the others go on to be held.
            self._warn(holding, keys)

    def _forget(self, holding: Holding, lost: Sequence[str]) -> bool:
        with self._context.database.transaction() as session:
            runs = RunLockRepository(session)
            runs.warn_of_loss(holding, lost, _now())
            return runs.forget_lease(holding)

    def _warn(self, holding: Holding, lost: Sequence[str]) -> None:
        with self._context.database.transaction() as session:
            RunLockRepository(session).warn_of_loss(holding, lost, _now())


def hear_of_freed_locks(
    context: AgentContext, locks: LockRepository, keeper: LockKeeper, do_now: Callable[[], None]
) -> None:
    """Let the keeper look at once when any node frees a lock while runs of ours wait, until the term is over."""
    while not context.lost.is_set():
        try:
            for _ in locks.watch_freed(context.lost):
                if keeper.has_waiting and keeper.tell():
                    do_now()
        except RegistryDown:
            # The tick finds out by itself, only later; and it is the one that reports what is wrong.
            context.lost.wait(_LONGEST_PAUSE_SECONDS)


def _now() -> str:
    return utc_now().isoformat(timespec="seconds")
