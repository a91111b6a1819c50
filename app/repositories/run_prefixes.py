"""Searching runs by the first digits of a commit or digest.

The digits are first made whole: which values are there that begin so? Each costs one step into an index, however many
runs have it. Then runs are searched by whole values, as always, which shows to each caller just the runs in reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.errors import Invalid
from app.models.run import REBASED_SQL, Run
from app.repositories.run_search import Position, RunFilter, search

MOST_VALUES = 20
_BEHIND_DIGITS = "g"
"""Stands behind every hexadecimal digit, in any collation."""
_WHOLE_COMMITS = (40, 64)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_DIGEST = re.compile(r"(?:.*@)?(?:sha256:)?([0-9a-f]{7,64})")
_ALGORITHM = "sha256:"


def search_begun(session: Session, wanted: RunFilter, *, after: Position | None, limit: int) -> Sequence[Run]:
    """Give runs as ``search`` does; of a commit or digest the first 7 digits are enough.

    A run is also found by its output commit as it was before a push made another one of it.

    Raises:
        Invalid: more than 20 commits or digests begin so.
    """
    choices = {name: _meant(session, name, value) for name, value in _asked(wanted)}
    if prod(map(len, choices.values())) > MOST_VALUES:
        raise Invalid("Too many commits or digests begin with these digits.", hint="Give more digits.")
    found: list[Run] = []
    for values in product(*choices.values()):
        whole: Any = dict(zip(choices, values, strict=True))
        found += search(session, replace(wanted, **whole), after=after, limit=limit)
    return sorted(found, key=lambda run: (run.defined_at, run.id), reverse=True)[:limit]


def _asked(wanted: RunFilter) -> Iterator[tuple[str, str]]:
    for name in ("image_digest", "input_commit", "output_commit"):
        value = getattr(wanted, name)
        if value is not None:
            yield name, value


def _meant(session: Session, name: str, given: str) -> Sequence[str]:
    """Give the values of a column that are meant by ``given``: all that begin so, or itself where none can."""
    asked = given.strip().lower()
    if name == "image_digest":
        digest = _DIGEST.fullmatch(asked)
        return _begun(session, Run.image_digest, _ALGORITHM + digest[1]) if digest else [given]
    if not _COMMIT.fullmatch(asked):
        return [given]
    column = Run.input_commit if name == "input_commit" else Run.output_commit
    values = [asked] if len(asked) in _WHOLE_COMMITS else _begun(session, column, asked)
    return list(dict.fromkeys([*values, *_rebased(session, asked)])) if name == "output_commit" else values


def _begun(session: Session, column: InstrumentedAttribute[str | None], beginning: str) -> list[str]:
    """Give the different values of a column that begin so, by a step from each to the next; one too many at most."""
    found: list[str] = []
    known = (column.is_not(None), column < beginning + _BEHIND_DIGITS)
    query = select(column).where(*known, column >= beginning)
    while len(found) <= MOST_VALUES and (value := session.scalar(query.order_by(column).limit(1))) is not None:
        found.append(value)
        query = select(column).where(*known, column > value)
    return found


def _rebased(session: Session, beginning: str) -> Sequence[str]:
    """Give the output commits that a push made of commits which begin so."""
    original = Run.original_commit
    # The index is used only where its own condition is said in so many words.
    known = (text(REBASED_SQL), original >= beginning, original < beginning + _BEHIND_DIGITS)
    query = select(Run.output_commit).where(*known).distinct().limit(MOST_VALUES + 1)
    return [commit for commit in session.scalars(query) if commit is not None]
