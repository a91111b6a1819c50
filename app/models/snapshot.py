"""Snapshots: the data that single commits brought. An index over git, which can be made anew at any time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

Place = tuple[int, str]
"""Where a snapshot stands in the list of its clone: position and label."""


class Snapshot(Base):
    """The files that one commit of a clone added or changed, or those of them that belong to one date.

    ``label`` is the date of the files, as their names have it; empty where they have none. ``position`` counts the
    commits of the branch from the oldest one, which is 1, along first parents. ``dated_on`` is the label's date, else
    the commit's. A commit that brought nothing has a row without files, which says that it was looked at.

    ``rows`` counts lines of text, None where no file is text; ``bytes`` is None where the clone does not have the
    contents. ``node``, ``tool`` and ``image`` are what the commit says of itself, which anybody who commits may write;
    which run made it is told by the rows of the runs alone.
    """

    __tablename__ = "snapshots"
    __table_args__ = (Index("ix_snapshots_clone_position_label", "clone", "position", "label"),)

    clone: Mapped[str] = mapped_column(ForeignKey("clones.name", ondelete="CASCADE"), primary_key=True)
    commit: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    committed_at: Mapped[datetime]
    dated_on: Mapped[date]
    subject: Mapped[str]
    files: Mapped[int]
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    node: Mapped[str | None]
    tool: Mapped[str | None]
    image: Mapped[str | None]
    control_metric: Mapped[float | None]


@dataclass(frozen=True)
class Listed:
    """A snapshot, and the run of this node that is on record with its commit, and how that run's data were judged."""

    snapshot: Snapshot
    run_id: int | None
    verdict: str | None
