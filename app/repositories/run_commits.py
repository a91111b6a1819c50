"""Which run made a commit: what is on record, whatever the commit says of itself.

Whoever can push writes what they like into a commit, also the number of a run. So a commit is a run's only where the
run's row names it, as it was made here or as a push made it anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, select, text, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.models.run import REBASED_SQL, Run


class Maker(NamedTuple):
    """A run that made a commit, and how its data were judged."""

    run_id: int
    verdict: str | None


def makers(session: Session, clone: str, commits: Collection[str]) -> Mapping[str, Maker]:
    """Give those of the commits of a clone that runs of this node made, each with its run."""
    known = set(commits)
    verdict = Run.spike["status"].astext
    query = select(Run.id, verdict, Run.output_commit, Run.original_commit).where(Run.clone == clone)
    rows = session.execute(query.where(_is_named(known)).order_by(Run.id))
    return {name: Maker(row[0], row[1]) for row in rows for name in row[2:] if name in known}


def commits_of(clone: str, run_id: int) -> Select[Any]:
    """Give the query for the commits of a clone that a run made."""
    both = (Run.output_commit, Run.original_commit)
    made = (select(column).where(Run.id == run_id, Run.clone == clone) for column in both)
    return select(union(*made).subquery().c[0])


def is_maker(commit: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Give the condition that a run made ``commit``, a column of another table."""
    # The index is used only where its own condition is said in so many words.
    return or_(Run.output_commit == commit, and_(text(REBASED_SQL), Run.original_commit == commit))


def _is_named(commits: Collection[str]) -> ColumnElement[bool]:
    return or_(Run.output_commit.in_(commits), and_(text(REBASED_SQL), Run.original_commit.in_(commits)))
