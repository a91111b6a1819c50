"""Metrics: the numbers that runs report, how each was judged, what people decided about them, and incidents."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

CONTROL = "control"
"""The metric of ``control-*.csv``, as a tool's ``metrics`` names it."""


class PointSource(StrEnum):
    """Where a point was had from: a run of this node, a file in the clone, or the git history of one."""

    RUN = "run"
    FILE = "file"
    HISTORY = "history"


class DecisionKind(StrEnum):
    """What a person said of points, or of a tool: they are right, they are wrong, or nobody is to be told."""

    ACCEPT = "accept"
    REJECT = "reject"
    MUTE = "mute"


class IncidentKind(StrEnum):
    """What an incident is about: data that look wrong, or a scheduled tool that is not heard of."""

    DATA = "data"
    SILENCE = "silence"


class IncidentEnd(StrEnum):
    """Why an incident is over."""

    RECOVERED = "recovered"
    NEW_LEVEL = "new_level"
    ACCEPTED = "accepted"
    UNJUDGED = "unjudged"
    HEARD = "heard"
    UNSCHEDULED = "unscheduled"


class MetricPoint(Base):
    """One number of one metric of a tool in one clone, with the verdict on it.

    A series is all points with the same ``clone``, ``tool`` and ``metric``, in the order of ``sort_key``, which sorts
    as bytes: made of the dates and numbers in the name of a control file, and of the time for every other metric.
    ``label`` says what the number came from: the name of a control file, ``run-<id>`` or ``commit-<id>``. A label that
    is reported again has a newer point, and the older one is not ``is_current``: it is kept, and judges nothing.

    ``value`` is None where what was ``reported`` is no finite number. ``judged`` is the standing that the verdict gave,
    ``standing`` the one that counts: a decision of a person outranks a verdict. ``run_id`` outlives the run's row.
    """

    __tablename__ = "metric_points"
    __table_args__ = (
        Index(
            "uq_metric_points_label",
            "clone",
            "tool",
            "metric",
            "label",
            unique=True,
            postgresql_where=text("is_current"),
        ),
        Index("ix_metric_points_sort_key", "clone", "tool", "metric", "sort_key", postgresql_where=text("is_current")),
        Index("ix_metric_points_tool_id", "tool", "id"),
        Index("ix_metric_points_run_id", "run_id", postgresql_where=text("run_id is not null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    clone: Mapped[str]
    tool: Mapped[str]
    metric: Mapped[str]
    label: Mapped[str]
    sort_key: Mapped[str] = mapped_column(String(collation="C"))
    measured_at: Mapped[datetime]
    value: Mapped[float | None]
    reported: Mapped[str] = mapped_column(server_default="")
    judged: Mapped[str]
    standing: Mapped[str]
    status: Mapped[str]
    verdict: Mapped[dict[str, Any]]
    source: Mapped[str]
    run_id: Mapped[int | None] = mapped_column(BigInteger)
    is_current: Mapped[bool] = mapped_column(server_default=text("true"))
    recorded_at: Mapped[datetime]


class MetricDecision(Base):
    """What a person decided about a tool: which points count, or until when nobody is told of its incidents.

    ``metric`` None means every metric of the tool. ``points`` are the ids of the points that it is about, in the order
    of their series; ``standings`` maps each to the standing that it had and the one that it got. Nothing is taken away
    by undoing: the row says who undid it and when.
    """

    __tablename__ = "metric_decisions"
    __table_args__ = (Index("ix_metric_decisions_tool_id", "tool", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tool: Mapped[str]
    metric: Mapped[str | None]
    kind: Mapped[str]
    points: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    standings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    until: Mapped[datetime | None]
    actor: Mapped[str]
    why: Mapped[str]
    decided_at: Mapped[datetime]
    undone_by: Mapped[str | None]
    undone_why: Mapped[str | None]
    undone_at: Mapped[datetime | None]


class Incident(Base):
    """A stretch of time in which a tool's data looked wrong, or in which it should have been heard of and was not.

    A tool has at most one open incident of each kind. ``status`` is the worst that was seen and ``summary`` its
    sentence, ``metrics`` are the metrics concerned with the worst of each, ``runs`` is how many runs were anomalous or
    lost a metric, the first of them ``first_run``. Of silence ``last_run`` is the last good run before it. ``told_at``
    is None while the opening was told to nobody, because the tool was muted.
    """

    __tablename__ = "incidents"
    __table_args__ = (
        Index("uq_incidents_open", "tool", "kind", unique=True, postgresql_where=text("closed_at is null")),
        Index("ix_incidents_tool_id", "tool", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tool: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str]
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    summary: Mapped[str]
    runs: Mapped[int] = mapped_column(server_default="0")
    opened_at: Mapped[datetime]
    first_run: Mapped[int | None] = mapped_column(BigInteger)
    opened_by_run: Mapped[int | None] = mapped_column(BigInteger)
    last_run: Mapped[int | None] = mapped_column(BigInteger)
    told_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by_run: Mapped[int | None] = mapped_column(BigInteger)
    closed_because: Mapped[str | None]
