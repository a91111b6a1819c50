"""Taking the locks of waiting runs: all of a run's at once, the oldest run of the node first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from app.clock import utc_now
from app.errors import AlreadyExists
from app.models.lock import Holder, Lock
from app.models.run import Run
from app.repositories.kv import Lease
from app.repositories.locks import LockRepository
from app.repositories.run_locks import RunLockRepository
from app.repositories.run_queue import Wanting
from app.services.agent_context import AgentContext
from app.services.lock_renewal import LeaseRenewer

log = logging.getLogger(__name__)
OUTAGE = "lock: the registry (etcd) does not answer"


class _Look:
    """Who holds and who wants what, during one look at the waiting runs."""

    def __init__(self, held: dict[str, Lock]) -> None:
        self.held = held
        self.reasons: dict[int, str] = {}
        self._first: dict[str, int] = {}

    def obstacle(self, keys: Sequence[str]) -> str | None:
        """Say which of the locks cannot be had, and because of whom."""
        for key in keys:
            if (lock := self.held.get(key)) is not None:
                return f"lock: {key} held by {_described(lock)}"
            if (earlier := self._first.get(key)) is not None:
                return f"lock: {key} wanted by run {earlier}, which came first"
        return None

    def leave_waiting(self, run_id: int, keys: Sequence[str]) -> None:
        """Note why a run waits, and that it comes before all that follow."""
        if (reason := self.obstacle(keys)) is not None:
            self.reasons[run_id] = reason
        for key in keys:
            self._first.setdefault(key, run_id)


class LockTaker:
    """Takes locks for the runs of one term of office, and writes on the others what they wait for.

    Its methods raise ``RegistryDown`` when etcd does not answer. Locks may have been taken all the same then; the next
    look finds them.
    """

    def __init__(self, context: AgentContext, locks: LockRepository, renewer: LeaseRenewer) -> None:
        self._context = context
        self._locks = locks
        self._renewer = renewer

    def take(self, wanting: Wanting, valid_until: datetime) -> None:
        """Take the locks of the runs that may have them; those that get them may be claimed until ``valid_until``.

        A run that has to wait is not overtaken by younger ones that want one of its locks: else one that wants several
        might never find all of them free.
        """
        if not wanting.runs:
            return
        look = _Look(self._locks.held())
        for run in wanting.runs:
            keys = sorted(set(run.locks))
            lease = self._found(run, keys, look) or (self._try(run, keys, look) if wanting.may_take(run) else None)
            if lease is None:
                look.leave_waiting(run.id, keys)
            elif self._note(run, lease, valid_until):
                self._renewer.add(lease.id)
                wanting.room -= 1
            else:
                self._locks.give_back(lease.id)
        self._explain(look.reasons)

    def explain_outage(self, wanting: Sequence[Run]) -> None:
        """Write on the runs that want locks that nobody can tell who holds them."""
        self._explain(dict.fromkeys((run.id for run in wanting), OUTAGE))

    def _found(self, run: Run, keys: Sequence[str], look: _Look) -> Lease | None:
        """Give the lease of locks that were taken for the run although the answer was lost, if they are all there."""
        ours = self._holder(run)
        found = [lock for key in keys if (lock := look.held.get(key)) and ours.is_same_run(lock.holder)]
        leases = {lock.lease for lock in found}
        is_complete = len(found) == len(keys) and all(lock.holder == ours for lock in found)
        if is_complete and len(leases) == 1 and self._locks.renew(found[0].lease):
            log.info("Run %s has its locks already.", run.id)
            return Lease(found[0].lease, found[0].token)
        # What an earlier term took, and never noted, may still be given back by it: that is no lock to rely on.
        for lease in leases:
            self._locks.give_back(lease)
        for lock in found:
            del look.held[lock.key]
        return None

    def _try(self, run: Run, keys: Sequence[str], look: _Look) -> Lease | None:
        if look.obstacle(keys) is not None:
            return None
        holder, now = self._holder(run), utc_now()
        try:
            lease = self._locks.take(keys, holder, now, ttl_seconds=self._context.settings.limits.lock_seconds)
        except AlreadyExists:
            # Another node was faster.
            look.held = self._locks.held()
            return None
        look.held.update({key: Lock(key, holder, now, lease.token, lease.id) for key in keys})
        return lease

    def _note(self, run: Run, lease: Lease, valid_until: datetime) -> bool:
        node, epoch = self._context.node, self._context.epoch
        with self._context.database.transaction() as session:
            return RunLockRepository(session).note_taken(run.id, lease, valid_until, node=node, epoch=epoch)

    def _explain(self, reasons: Mapping[int, str]) -> None:
        if not reasons:
            return
        with self._context.database.transaction() as session:
            RunLockRepository(session).explain(reasons)

    def _holder(self, run: Run) -> Holder:
        context = self._context
        return Holder(run.id, context.node, context.installation, context.epoch)


def _described(lock: Lock) -> str:
    if lock.holder is None:
        return "somebody whose entry cannot be read"
    return f"run {lock.run_id} on node {lock.node}"
