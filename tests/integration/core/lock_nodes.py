"""Nodes that share an etcd: each has a database of its own, and a keeper of its runs' locks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import RegistryDown
from app.models.lock import Lock
from app.models.run import Run, RunStatus
from app.repositories.kv import KvStore
from app.repositories.locks import LockRepository
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.dispatching import Dispatcher
from app.services.lock_keeping import LockKeeper
from app.services.lock_renewal import LeaseRenewer
from tests.integration.core.world import WatchedDatabase, World


class LockNode(World):
    """A node of which a term of office has begun."""

    context: AgentContext
    dispatcher: Dispatcher
    keeper: LockKeeper

    def __init__(self, url: str, instance: Path, kv: KvStore, name: str, **limits: object) -> None:
        super().__init__(WatchedDatabase(url, pool_size=10), instance)
        given = {f"MAO_LIMITS_{limit.upper()}": str(value) for limit, value in limits.items()}
        self.configure(MAO_WORKING_ENVIRONMENT_NODE=name, **given)
        self.locks = LockRepository(kv)
        self.renewer = LeaseRenewer(self.locks, self._settings.limits.lock_seconds)
        self.renew_term()

    def renew_term(self) -> None:
        """Let another agent take office, as after a crash: it remembers nothing."""
        self.context, self.dispatcher = self.begin()
        self.keeper = LockKeeper(self.context, self.locks, self.renewer)

    def close(self) -> None:
        self.end()
        self.database.close()

    def want(self, *keys: str, **columns: Any) -> int:
        """Add a run that wants these locks."""
        return self.add(locks=list(keys), **columns)

    def claim(self) -> list[int]:
        """Claim what can be claimed, without doing anything with it."""
        with self.database.transaction() as session:
            capacity = Capacity(self.context.settings.limits.concurrent_runs)
            queue = RunQueue(session)
            return [run.id for run in queue.claim(node=self.context.node, epoch=self.context.epoch, capacity=capacity)]

    def serve(self) -> list[int]:
        """Take locks, and claim the runs that have them."""
        self.keeper.tick()
        return self.claim()

    def finish(self, run_id: int, **columns: Any) -> Run:
        """Let a run that was claimed be over."""
        with self.database.transaction() as session:
            old, new = RunStatus.PENDING_SUBMIT, RunStatus.FAILED
            run = RunRepository(session).change(run_id, old, new, actor="test", **columns)
        assert run is not None
        return run

    def begin_again(self, run_id: int) -> None:
        """Let a run that was claimed wait for another attempt; its lease stays, for the keeper to give it back."""
        with self.database.transaction() as session:
            old, new = RunStatus.PENDING_SUBMIT, RunStatus.WAITING_LOCKS
            assert RunRepository(session).change(run_id, old, new, actor="test", lock_token=None)

    def holders(self) -> dict[str, int | None]:
        """Give the run that holds each lock, of whatever node."""
        return {key: lock.run_id for key, lock in self.locks.held().items()}

    def lock(self, key: str) -> Lock:
        return self.locks.held()[key]


def after(node: LockNode, method: str, monkeypatch: pytest.MonkeyPatch, then: Callable[[], Any]) -> None:
    """Do something each time after a call of the lock repository, before its caller goes on."""
    call = getattr(node.locks, method)

    def patched(*arguments: Any, **options: Any) -> Any:
        result = call(*arguments, **options)
        then()
        return result

    monkeypatch.setattr(node.locks, method, patched)


def lose_answers(node: LockNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose() -> None:
        raise RegistryDown("The registry (etcd) does not answer.")

    after(node, "take", monkeypatch, lose)
