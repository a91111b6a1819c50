"""The queue of waiting runs: which one may begin, and why each of the others waits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, String, and_, any_, bindparam, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from app.models.clone import BUSY, Clone
from app.models.run import HELD, Run, RunStatus
from app.repositories.clones import CloneRepository
from app.repositories.runs import RunRepository

_KINDS = ("tool", "owner", "backend")
_MOST_WANTING = 200


@dataclass(frozen=True)
class Capacity:
    """How many runs may be held at once: in all, of one tool, of one owner, on one backend; 0 is no limit for those.

    ``disk`` is the reason why no run may begin at all, None where there is none.
    """

    runs: int
    per_tool: int = 0
    per_owner: int = 0
    per_backend: int = 0
    disk: str | None = None

    def of_one(self, kind: str) -> int:
        """Give the limit for one tool, owner or backend."""
        return {"tool": self.per_tool, "owner": self.per_owner, "backend": self.per_backend}[kind]


@dataclass
class Wanting:
    """The runs that could begin if they had their locks, oldest first, and how many more of them there is room for.

    Where there is no room, one that is older than ``ahead_of``, the first that only waits for a slot, takes its locks
    ahead. Without that it would never begin: runs without locks fill each slot as soon as it is free.
    """

    runs: Sequence[Run]
    room: int
    ahead_of: float

    def may_take(self, run: Run) -> bool:
        """Tell whether a run may take its locks, now that ``room`` is left."""
        return self.room > 0 or (self.room == 0 and run.id < self.ahead_of)


@dataclass
class _Usage:
    """The runs that are held, counted as rows; nothing is counted up and down, so nothing can leak."""

    runs: int = 0
    of: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in _KINDS})

    def add(self, values: Sequence[str]) -> None:
        self.runs += 1
        for kind, value in zip(_KINDS, values, strict=True):
            self.of[kind][value] += 1

    def full(self, kind: str, capacity: Capacity) -> list[str]:
        limit = capacity.of_one(kind)
        return [value for value, count in self.of[kind].items() if limit and count >= limit]


class RunQueue:
    """Queries about waiting runs, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, *, node: str, epoch: int, capacity: Capacity) -> Sequence[Run]:
        """Take waiting runs for this agent as far as there is room, oldest first, and begin a new attempt of each.

        Left waiting are runs whose time has not come, whose clone is in use, which want locks and do not have them,
        which are behind an unfinished run of the same job, or whose tool, owner or backend has all that it may have.
        """
        claimed: list[Run] = []
        usage, seen = self._usage(), set[int]()
        while capacity.disk is None and (room := capacity.runs - usage.runs) > 0:
            found = self._next(room, usage, capacity)
            for run in found:
                if self._fits(run, usage, capacity) and self._is_free(run.clone) and self._take(run, node, epoch):
                    claimed.append(run)
                    usage.add((run.tool, run.owner, run.backend))
            if len(found) < room or all(run.id in seen for run in found):
                break
            seen.update(run.id for run in found)
        return claimed

    def wanting_locks(self, capacity: Capacity) -> Wanting:
        """Give the runs that could begin if they had their locks, and which of them may take them."""
        usage = self._usage()
        for values in self._session.execute(_LOCKED_RUNS):
            usage.add(values)
        full = {f"full_{kind}": usage.full(kind, capacity) for kind in _KINDS}
        runs = list(self._session.scalars(_WANTING_LOCKS, full))
        room = capacity.runs - usage.runs if capacity.disk is None else -1
        first = self._session.scalar(_FIRST_TO_BEGIN, full) if runs and room == 0 else 0
        return Wanting(runs, room, math.inf if first is None else first)

    def explain_waiting(self, capacity: Capacity) -> None:
        """Write on every waiting run what it waits for; what a run waits for in etcd is written by others."""
        limits = {
            "runs": capacity.runs,
            "per_tool": capacity.per_tool,
            "per_owner": capacity.per_owner,
            "per_backend": capacity.per_backend,
            "disk": capacity.disk,
        }
        self._session.execute(_EXPLAIN, limits)

    def unplanned(self, limit: int = 100) -> Sequence[Run]:
        """Give waiting runs whose registry entry was not read yet, oldest first."""
        wanted = (Run.status == RunStatus.WAITING_LOCKS, Run.tool_entry.is_(None))
        return list(self._session.scalars(select(Run).where(*wanted).order_by(Run.id).limit(limit)))

    def has_unplanned(self) -> bool:
        """Tell whether the registry entry of any waiting run was not read yet."""
        return bool(self._session.scalar(_HAS_UNPLANNED))

    def _usage(self) -> _Usage:
        usage = _Usage()
        for values in self._session.execute(_HELD_RUNS):
            usage.add(values)
        return usage

    def _next(self, room: int, usage: _Usage, capacity: Capacity) -> Sequence[Run]:
        full = {f"full_{kind}": usage.full(kind, capacity) for kind in _KINDS}
        return list(self._session.scalars(_QUEUE, {"limit": room, **full}))

    def _fits(self, run: Run, usage: _Usage, capacity: Capacity) -> bool:
        return not any(getattr(run, kind) in usage.full(kind, capacity) for kind in _KINDS)

    def _is_free(self, clone: str | None) -> bool:
        """Lock the clone for this transaction, and only then look whether somebody uses it or waits to change it."""
        if clone is None:
            return True
        clones = CloneRepository(self._session)
        clones.lock(clone)
        return not clones.is_busy(clone) and RunRepository(self._session).holder_of(clone) is None

    def _take(self, run: Run, node: str, epoch: int) -> bool:
        columns: dict[str, Any] = {
            "node": node,
            "agent_epoch": epoch,
            "attempt": run.attempt + 1,
            "waiting_for": None,
            "not_before": None,
        }
        old, new = RunStatus.WAITING_LOCKS, RunStatus.PENDING_SUBMIT
        return RunRepository(self._session).change(run.id, old, new, actor=f"agent@{node}", **columns) is not None


_holder, _earlier = aliased(Run), aliased(Run)
# The statements of every run are built once: building one takes longer than running it.
_HELD_RUNS = select(Run.tool, Run.owner, Run.backend).where(Run.status.in_(HELD), Run.ended_at.is_(None))
_HAS_UNPLANNED = select(
    select(Run.id)
    .where(Run.status == RunStatus.WAITING_LOCKS, Run.ended_at.is_(None), Run.tool_entry.is_(None))
    .exists()
)
_COULD_BEGIN = (
    Run.status == RunStatus.WAITING_LOCKS,
    Run.ended_at.is_(None),
    Run.tool_entry.is_not(None),
    or_(Run.not_before.is_(None), Run.not_before <= func.clock_timestamp()),
    *(~(getattr(Run, kind) == any_(bindparam(f"full_{kind}", type_=ARRAY(String)))) for kind in _KINDS),
    ~select(_holder.id).where(_holder.clone == Run.clone, _holder.status.in_(HELD)).exists(),
    ~select(Clone.name).where(Clone.name == Run.clone, Clone.state.in_(BUSY)).exists(),
    ~select(_earlier.id)
    .where(_earlier.job_id == Run.job_id, _earlier.id < Run.id, _earlier.ended_at.is_(None))
    .exists(),
)
# A lease may be over although the row has it: whoever renews it was dead, frozen or cut off for too long.
_HAS_ITS_LOCKS = or_(
    func.jsonb_array_length(Run.locks) == 0,
    and_(Run.lock_token.is_not(None), Run.lock_valid_until > func.clock_timestamp()),
)
_QUEUE = (
    select(Run)
    .where(*_COULD_BEGIN, _HAS_ITS_LOCKS)
    .order_by(Run.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=Run)
)
_FIRST_TO_BEGIN = select(Run.id).where(*_COULD_BEGIN, _HAS_ITS_LOCKS).order_by(Run.id).limit(1)
# Spelt like the condition of the index, so that runs without locks cost nothing here.
_HAS_LOCKS = text("runs.ended_at is null and runs.locks <> '[]'::jsonb")
_LOCKED_RUNS = select(Run.tool, Run.owner, Run.backend).where(
    _HAS_LOCKS, Run.status == RunStatus.WAITING_LOCKS, Run.lock_token.is_not(None)
)
_WANTING_LOCKS = (
    select(Run)
    .where(*_COULD_BEGIN, _HAS_LOCKS, Run.lock_token.is_(None), Run.lock_lease.is_(None))
    .order_by(Run.id)
    .limit(_MOST_WANTING)
)
_EXPLAIN = text("""
    with held as materialized (
        select id, clone, tool, owner, backend from runs
         where status in ('PENDING_SUBMIT', 'SUBMITTED', 'RUNNING', 'ABORTING') and ended_at is null
    ), holder as (
        select clone, min(id) as id from held where clone is not null group by clone
    ), of_tool as (
        select tool, count(*) as held from held group by tool
    ), of_owner as (
        select owner, count(*) as held from held group by owner
    ), of_backend as (
        select backend, count(*) as held from held group by backend
    ), first_of_job as (
        select job_id, min(id) as id from runs where job_id is not null and ended_at is null group by job_id
    ), explained as (
        select r.id, coalesce(
            case when r.tool_entry is null then 'registry: the tool''s entry is not read yet' end,
            'schedule: begins at ' || case when r.not_before > clock_timestamp()
                then to_char(r.not_before at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                    || case when r.attempt > 0 then ', because attempt ' || r.attempt || ' failed' else '' end
                end,
            'disk: ' || cast(:disk as text),
            'lock: the clone ' || r.clone || ' held by run ' || holder.id,
            case when c.name is not null then 'lock: the clone ' || c.name || ' is being made, pushed or removed' end,
            case when f.id < r.id then 'job: run ' || f.id || ' of the same job comes first' end,
            case when :per_tool > 0 and of_tool.held >= :per_tool
                then 'slot: the tool ' || r.tool || ' has as many runs as it may have, ' || :per_tool end,
            case when :per_owner > 0 and of_owner.held >= :per_owner
                then 'slot: the owner ' || r.owner || ' has as many runs as it may have, ' || :per_owner end,
            case when :per_backend > 0 and of_backend.held >= :per_backend
                then 'slot: the backend ' || r.backend || ' has as many runs as it may have, ' || :per_backend end,
            case when (select count(*) from held) >= :runs then 'slot: every slot of the node is taken' end,
            case when jsonb_array_length(r.locks) > 0 and r.lock_token is null
                then case when r.waiting_for like 'lock: %' and r.waiting_for not like 'lock: the clone %'
                    then r.waiting_for else 'lock: its locks are being asked for' end end,
            'agent: it begins in a moment'
        ) as reason
        from runs r
        left join holder on holder.clone = r.clone
        left join clones c on c.name = r.clone and c.state in ('REQUESTED', 'CLONING', 'REMOVING')
        left join first_of_job f on f.job_id = r.job_id
        left join of_tool on of_tool.tool = r.tool
        left join of_owner on of_owner.owner = r.owner
        left join of_backend on of_backend.backend = r.backend
        where r.status = 'WAITING_LOCKS' and r.ended_at is null order by r.id limit 1000
    ), changed as (
        -- In the order of their numbers, as everybody takes several runs; one that somebody has is left for next time.
        select r.id, explained.reason from runs r join explained on explained.id = r.id
         where r.status = 'WAITING_LOCKS' and r.waiting_for is distinct from explained.reason
         order by r.id for update of r skip locked
    )
    update runs set waiting_for = changed.reason from changed where runs.id = changed.id
""")
