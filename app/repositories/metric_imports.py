"""What an import of points reads and writes beside the points themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from app.models.metric import MetricDecision, MetricPoint
from app.models.run import HELD, Run, RunStatus
from app.models.snapshot import Snapshot
from app.repositories.metrics import SeriesName
from app.repositories.run_commits import makers

T = TypeVar("T")

_PER_STATEMENT = 1000


class KnownPoint(NamedTuple):
    """What a series has under a label; ``is_decided`` tells that a decision of a person about it is in force."""

    value: float | None
    source: str
    is_decided: bool


class MadeBy(NamedTuple):
    """The run of this node that is on record with a commit."""

    run_id: int
    tool: str
    ended_at: datetime | None


class MeasuredRun(NamedTuple):
    """What was measured of a run that is over."""

    run_id: int
    ended_at: datetime
    metrics: Mapping[str, Any]


class ImportRepository:
    """Queries of imports, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def known(self, name: SeriesName) -> dict[str, KnownPoint]:
        """Give what a series has, by label."""
        same = [getattr(MetricPoint, column) == value for column, value in vars(name).items()]
        in_force = (MetricDecision.tool == name.tool, MetricDecision.undone_at.is_(None))
        decided = select(func.unnest(MetricDecision.points)).where(*in_force)
        columns = (MetricPoint.label, MetricPoint.value, MetricPoint.source, MetricPoint.id.in_(decided))
        query = select(*columns).where(*same, MetricPoint.is_current)
        return {row[0]: KnownPoint(row[1], row[2], row[3]) for row in self._session.execute(query)}

    def oldest_start(self, clone: str) -> datetime | None:
        """Give when the oldest of the runs began that are in a clone now, or None where none is."""
        began = func.coalesce(Run.submitted_at, Run.defined_at)
        return self._session.scalar(select(func.min(began)).where(Run.clone == clone, Run.status.in_(HELD)))

    def makers(self, clone: str, commits: Sequence[str]) -> dict[str, MadeBy]:
        """Give those of the commits that runs of this node made, each with its run."""
        made: dict[str, int] = {}
        for some in _batches(commits):
            made |= {commit: maker.run_id for commit, maker in makers(self._session, clone, some).items()}
        runs: dict[int, MadeBy] = {}
        for numbers in _batches(sorted(set(made.values()))):
            query = select(Run.id, Run.tool, Run.ended_at).where(Run.id.in_(numbers))
            runs |= {row[0]: MadeBy(*row) for row in self._session.execute(query)}
        return {commit: runs[run_id] for commit, run_id in made.items() if run_id in runs}

    def snapshots(self, clone: str, limit: int) -> Iterator[Snapshot]:
        """Give the newest snapshots of a clone that brought something, newest first, a thousand at a time."""
        place = (Snapshot.position, Snapshot.label)
        query = select(Snapshot).where(Snapshot.clone == clone, Snapshot.files > 0)
        newest_first = query.order_by(Snapshot.position.desc(), Snapshot.label.desc()).limit(_PER_STATEMENT)
        found = self._session.scalars(newest_first).all()
        while found and limit > 0:
            yield from found[:limit]
            limit -= len(found)
            last = (found[-1].position, found[-1].label)
            found = self._session.scalars(newest_first.where(tuple_(*place) < last)).all()

    def measured_runs(self, tool: str, clone: str, limit: int) -> Sequence[MeasuredRun]:
        """Give the newest good runs of a tool in a clone of which something was measured; replays are none of them."""
        query = select(Run.id, Run.ended_at, Run.metrics).where(
            Run.tool == tool,
            Run.clone == clone,
            Run.status == RunStatus.SUCCEEDED,
            Run.replay_of.is_(None),
            Run.ended_at.is_not(None),
            func.jsonb_typeof(Run.metrics) == "object",
            Run.metrics != {},
        )
        rows = self._session.execute(query.order_by(Run.defined_at.desc(), Run.id.desc()).limit(limit))
        return [MeasuredRun(*row) for row in rows]


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _PER_STATEMENT] for start in range(0, len(items), _PER_STATEMENT))
