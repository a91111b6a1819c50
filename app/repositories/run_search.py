"""Searching runs: any mix of conditions, newest first, page by page, in one statement that never reads all runs.

PostgreSQL's planner supposes that what is asked for is spread evenly over time, and that conditions know nothing of one
another. Of runs neither is true: a tool is retired, a group has tools of its own. Left to itself, it walks through a
million runs to find none. So the statement has two parts:

*Near* walks back through the index of the one column that promises the fewest runs, for some thousand of them at most,
and keeps what matches. Where matches are dense, that is the whole answer. *Far* is carried out only where near came to
its end before the page was full: the index of all terms gives it the matches and nothing else, and it sorts them.

The order is by time, then by number, because each index holds the runs of one tool (owner, state ...) in that order: a
range of time is a range of the index, and every page costs the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from app.models.run import TERM_MARKS, TERMS_SQL, WORDS_SQL, Run, RunStatus

Position = tuple[datetime, int]
"""Where a run stands in the order of all runs: the instant at which it was defined, and its number."""

_NEAR_ROWS = 2000
_BROAD_NEAR_ROWS = 10_000
_BROAD = (None, "cause", "status")
"""Leaders whose runs lie side by side on the disk, so that a longer walk costs little."""
_LEFT_OUT = (defer(Run.report, raiseload=True), defer(Run.tool_entry, raiseload=True))
"""More bytes than all the other columns of a run together, and no list shows them."""
_NEWEST = (Run.defined_at.desc(), Run.id.desc())
_LEADERS = (
    "output_commit",
    "parent_id",
    "input_commit",
    "quarantine_state",
    "image_digest",
    "job_id",
    "tool",
    "submitter",
    "owner",
    "cause",
    "status",
)
"""The columns with an index in the order of time; those that promise the fewest runs come first."""


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs; what is None or empty restricts nothing.

    ``labels`` must all be among the run's. ``words`` are looked for in the description, in any order; the last one may
    be the beginning of a word. ``defined_from`` is the first instant that counts, ``defined_to`` the first that does
    not.
    """

    tool: str | None = None
    owner: str | None = None
    submitter: str | None = None
    job_id: str | None = None
    parent_id: int | None = None
    cause: str | None = None
    image_digest: str | None = None
    input_commit: str | None = None
    output_commit: str | None = None
    quarantine_state: str | None = None
    statuses: tuple[RunStatus, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    defined_from: datetime | None = None
    defined_to: datetime | None = None

    def equalities(self) -> dict[str, Any]:
        """Give the columns that are to be equal to a value, those first that promise the fewest runs."""
        status = self.statuses[0] if len(self.statuses) == 1 else None
        known = {name: status if name == "status" else getattr(self, name) for name in _LEADERS}
        return {name: value for name, value in known.items() if value is not None}


def search(session: Session, wanted: RunFilter, *, after: Position | None, limit: int) -> Sequence[Run]:
    """Give runs, newest first, beginning behind the position ``after``; without their entries and reports."""
    equal = wanted.equalities()
    leader = next(iter(equal), None)
    lead = {} if leader is None else {leader: equal.pop(leader)}
    rest = [*_equal(equal), *_some_status(wanted), *_described(wanted)]
    rows = _BROAD_NEAR_ROWS if leader in _BROAD else _NEAR_ROWS
    walk = _Walk(lead, _begin(wanted), _end(wanted, after), rows if rest else limit)
    found = walk.found(rest, limit).cte("found").prefix_with("materialized")
    chosen: Any = select(found.c.id)
    if rest:
        is_cut = case((_count(found) < limit, walk.is_cut()), else_=false())
        far = _far({**lead, **equal}, wanted, walk, limit).where(is_cut).cte("far").prefix_with("materialized")
        chosen = chosen.union(select(far.c.id))
    query = select(Run).options(*_LEFT_OUT).where(Run.id.in_(chosen)).order_by(*_NEWEST).limit(limit)
    return list(session.scalars(query))


@dataclass(frozen=True)
class _Walk:
    """A walk back in time over at most ``rows`` runs, from before the position ``end`` down to ``begin``.

    ``lead`` is the column that all of them have in common, with its value, or empty. It is part of the order and of a
    range of rows, never compared by ``=``: the planner would take an equality out of the order, and might then choose
    another index than the one that is meant.
    """

    lead: dict[str, Any]
    begin: Position | None
    end: Position | None
    rows: int

    def found(self, rest: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
        """Select the numbers of the first ``limit`` of these runs that fulfil ``rest`` too."""
        order = [column.desc() for column in self._order()]
        near = select(*self._order(), and_(true(), *rest).label("is_match")).where(*self._range()).order_by(*order)
        seen = near.limit(self.rows).subquery("near")
        newest = [seen.c[column.key].desc() for column in self._order()]
        return select(seen.c.id).where(seen.c.is_match).order_by(*newest).limit(limit)

    def is_cut(self) -> ColumnElement[bool]:
        """Tell whether there are as many runs as the walk may see, and so perhaps more."""
        return _count(select(Run.id).where(*self._range()).limit(self.rows).subquery()) == self.rows

    def bounds(self) -> Iterator[ColumnElement[bool]]:
        """Give the limits in time alone."""
        row = tuple_(Run.defined_at, Run.id)
        if self.begin is not None:
            yield row >= self.begin
        if self.end is not None:
            yield row < self.end

    def _order(self) -> list[InstrumentedAttribute[Any]]:
        return [*(_column(name) for name in self.lead), Run.defined_at, Run.id]

    def _range(self) -> Iterator[ColumnElement[bool]]:
        row, lead = tuple_(*self._order()), tuple(self.lead.values())
        for name, value in self.lead.items():
            # A partial index is used only where this is said in so many words.
            yield _column(name).is_not(None)
            if self.begin is None:
                yield _column(name) >= value
            if self.end is None:
                yield _column(name) <= value
        if self.begin is not None:
            yield row >= (*lead, *self.begin)
        if self.end is not None:
            yield row < (*lead, *self.end)


def _far(equal: dict[str, Any], wanted: RunFilter, walk: _Walk, limit: int) -> Select[Any]:
    """Select the newest runs that match, all of them collected before they are sorted."""
    terms = literal_column(TERMS_SQL, ARRAY(Text))
    conditions = [*walk.bounds(), *_described(wanted)]
    if asked := [mark + equal[name] for name, mark in TERM_MARKS.items() if name in equal]:
        conditions.append(terms.contains(cast(asked, ARRAY(Text))))
    if len(wanted.statuses) > 1:
        states = [TERM_MARKS["status"] + status for status in wanted.statuses]
        conditions.append(terms.overlap(cast(states, ARRAY(Text))))
    conditions += _equal({name: value for name, value in equal.items() if name not in TERM_MARKS})
    # No index has this order, so the planner cannot hope to meet enough matches on a walk.
    unordered = Run.defined_at + timedelta(0)
    return select(Run.id).where(*conditions).order_by(unordered.desc(), Run.id.desc()).limit(limit)


def _equal(values: dict[str, Any]) -> list[ColumnElement[bool]]:
    return [_column(name) == value for name, value in values.items()]


def _some_status(wanted: RunFilter) -> Iterator[ColumnElement[bool]]:
    if len(wanted.statuses) > 1:
        yield Run.status.in_(wanted.statuses)


def _described(wanted: RunFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.labels:
        yield Run.labels.contains(wanted.labels)
    if wanted.words:
        query = func.to_tsquery(literal_column("'simple'"), _ts_query(wanted.words))
        yield literal_column(WORDS_SQL).op("@@", is_comparison=True)(query)


def _ts_query(words: Sequence[str]) -> str:
    """Give the words in the language of ``to_tsquery``, quoted, so that none of their characters is an operator."""
    quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in words]
    return " & ".join(quoted) + ":*"


def _begin(wanted: RunFilter) -> Position | None:
    # No run has the number 0, so that it stands before all runs of its instant.
    return None if wanted.defined_from is None else (wanted.defined_from, 0)


def _end(wanted: RunFilter, after: Position | None) -> Position | None:
    ends = [after, None if wanted.defined_to is None else (wanted.defined_to, 0)]
    return min((end for end in ends if end is not None), default=None)


def _column(name: str) -> InstrumentedAttribute[Any]:
    column: InstrumentedAttribute[Any] = getattr(Run, name)
    return column


def _count(rows: FromClause) -> ColumnElement[int]:
    return select(func.count()).select_from(rows).scalar_subquery()
