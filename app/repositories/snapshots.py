"""Which snapshots the clones of this node have: an index over git."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.models.clone import Clone, CloneState
from app.models.run import Run
from app.models.snapshot import Listed, Place, Snapshot
from app.repositories.run_commits import commits_of, is_maker, makers

_PER_STATEMENT = 1000
_NEWEST_FIRST = (Snapshot.position.desc(), Snapshot.label.desc())


class Wanted(NamedTuple):
    """A clone, and the head whose snapshots are to be known."""

    clone: str
    head: str


@dataclass(frozen=True)
class SnapshotFilter:
    """Which snapshots are wanted; None restricts nothing. Both days are included."""

    since: date | None = None
    until: date | None = None
    run: int | None = None


EVERY = SnapshotFilter()


class SnapshotRepository:
    """Queries about snapshots, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # The agent's side: to fill the index.

    def wanted(self) -> Sequence[Wanted]:
        """Give the clones whose snapshots are not all known, also those that show one commit for good."""
        query = select(Clone.name, Clone.head_commit).where(
            Clone.state == CloneState.READY,
            Clone.head_commit.is_not(None),
            Clone.indexed_commit.is_distinct_from(Clone.head_commit),
        )
        return [Wanted(name, head or "") for name, head in self._session.execute(query.order_by(Clone.updated_at))]

    def hold(self, wanted: Wanted) -> bool:
        """Keep the clone's head as it is until the transaction ends; tell whether it is still the wanted one."""
        query = select(Clone.name).where(Clone.name == wanted.clone, Clone.head_commit == wanted.head)
        return self._session.scalar(query.with_for_update(key_share=True)) is not None

    def positions(self, clone: str) -> dict[str, int]:
        """Give the commits of a clone that are known, with their positions."""
        query = select(Snapshot.commit, func.min(Snapshot.position).label("position")).where(Snapshot.clone == clone)
        rows = self._session.execute(query.group_by(Snapshot.commit))
        return {row.commit: row.position for row in rows}

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store snapshots; one that is there stays as it is."""
        for start in range(0, len(rows), _PER_STATEMENT):
            statement = insert(Snapshot).values(list(rows[start : start + _PER_STATEMENT]))
            self._session.execute(statement.on_conflict_do_nothing())

    def remove(self, clone: str, commits: Sequence[str]) -> None:
        """Delete all snapshots of these commits; where there are any, the index is not complete any more."""
        if commits:
            # The head may go back to the one that was indexed, without the rows that are removed here.
            self._session.execute(update(Clone).where(Clone.name == clone).values(indexed_commit=None))
        for start in range(0, len(commits), _PER_STATEMENT):
            some = commits[start : start + _PER_STATEMENT]
            self._session.execute(delete(Snapshot).where(Snapshot.clone == clone, Snapshot.commit.in_(some)))

    def note_complete(self, wanted: Wanted) -> None:
        """Note that all snapshots up to a head are known, unless the clone has moved on."""
        statement = update(Clone).where(Clone.name == wanted.clone, Clone.head_commit == wanted.head)
        self._session.execute(statement.values(indexed_commit=wanted.head))

    # The other side: to read it.

    def list(
        self, clone: str, wanted: SnapshotFilter = EVERY, *, after: Place | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        """Give a clone's snapshots, newest first, beginning behind the place ``after``."""
        query = select(Snapshot).where(*_of(clone), *_conditions(clone, wanted)).order_by(*_NEWEST_FIRST)
        if after is not None:
            query = query.where(tuple_(Snapshot.position, Snapshot.label) < after)
        found = self._session.scalars(query.limit(limit)).all()
        made_by = makers(self._session, clone, {snapshot.commit for snapshot in found})
        return [Listed(snapshot, *made_by.get(snapshot.commit, (None, None))) for snapshot in found]

    def find(self, clone: str, *conditions: ColumnElement[bool], skip: int = 0) -> Snapshot | None:
        """Give the newest snapshot that meets the conditions, or the one so many places behind it; else None."""
        query = select(Snapshot).where(*_of(clone), *conditions).order_by(*_NEWEST_FIRST)
        return self._session.scalar(query.offset(skip).limit(1))

    def of_day(self, clone: str, day: date) -> Snapshot | None:
        """Give the newest snapshot of a day, or None."""
        return self.find(clone, Snapshot.dated_on == day)

    def of_run(self, clone: str, run_id: int) -> Snapshot | None:
        """Give what a run of this node brought: what has no date of its own first, or None."""
        return self._own_first(clone, Snapshot.commit.in_(commits_of(clone, run_id)))

    def of_commit(self, clone: str, commit: str, label: str | None = None) -> Snapshot | None:
        """Give a commit's snapshot of that label; without one, what has no date of its own first. Else None."""
        if label is not None:
            return self.find(clone, Snapshot.commit == commit, Snapshot.label == label)
        return self._own_first(clone, Snapshot.commit == commit)

    def commits_like(self, clone: str, beginning: str, limit: int) -> Sequence[str]:
        """Give commits that begin so, at most ``limit`` of them."""
        query = select(Snapshot.commit).where(*_of(clone), Snapshot.commit.startswith(beginning, autoescape=True))
        return list(self._session.scalars(query.distinct().limit(limit)))

    def labels(self, clone: str, commit: str, limit: int) -> Sequence[str]:
        """Give the labels of a commit's snapshots, at most ``limit`` of them."""
        query = select(Snapshot.label).where(*_of(clone), Snapshot.commit == commit)
        return list(self._session.scalars(query.order_by(Snapshot.label.desc()).limit(limit)))

    def days_around(self, clone: str, day: date) -> Collection[date]:
        """Give the nearest days before and after one that have snapshots."""
        before = select(func.max(Snapshot.dated_on)).where(*_of(clone), Snapshot.dated_on < day)
        after = select(func.min(Snapshot.dated_on)).where(*_of(clone), Snapshot.dated_on > day)
        return [found for query in (before, after) if (found := self._session.scalar(query)) is not None]

    def runs_around(self, clone: str, run_id: int) -> Collection[int]:
        """Give the nearest numbers before and after one of runs that brought snapshots."""
        theirs = (*_of(clone), Run.clone == clone, is_maker(Snapshot.commit))
        before = select(func.max(Run.id)).where(*theirs, Run.id < run_id)
        after = select(func.min(Run.id)).where(*theirs, Run.id > run_id)
        return [found for query in (before, after) if (found := self._session.scalar(query)) is not None]

    def _own_first(self, clone: str, condition: ColumnElement[bool]) -> Snapshot | None:
        return self.find(clone, condition, Snapshot.label == "") or self.find(clone, condition)


def _of(clone: str) -> tuple[ColumnElement[bool], ...]:
    return Snapshot.clone == clone, Snapshot.files > 0


def _conditions(clone: str, wanted: SnapshotFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield Snapshot.dated_on >= wanted.since
    if wanted.until is not None:
        yield Snapshot.dated_on <= wanted.until
    if wanted.run is not None:
        yield Snapshot.commit.in_(commits_of(clone, wanted.run))
