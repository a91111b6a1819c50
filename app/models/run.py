"""A run: one execution of a job, its states, and which state may follow which."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class RunStatus(StrEnum):
    """Where a run stands."""

    DEFINED = "DEFINED"
    WAITING_LOCKS = "WAITING_LOCKS"
    PENDING_SUBMIT = "PENDING_SUBMIT"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    ABORTING = "ABORTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    IN_DOUBT = "IN_DOUBT"


class PushState(StrEnum):
    """What became of the commit of a run that publishes by pushing.

    PENDING: to be tried (again). CONFLICT: it is on a conflict branch of the remote. REFUSED: the remote does not take
    it; it is tried again, more and more rarely.
    """

    PENDING = "pending"
    PUSHED = "pushed"
    CONFLICT = "conflict"
    REFUSED = "refused"


class QuarantineState(StrEnum):
    """What became of files that were kept out of the data set's branch; the ``-ing`` ones wait for the agent."""

    HELD = "held"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    DISCARDING = "discarding"
    DISCARDED = "discarded"


class Cause(StrEnum):
    """Why a final run is what it is."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    TIMEOUT = "timeout"
    OOM = "oom"
    CANCELLED = "cancelled"
    IMAGE_MISSING = "image_missing"
    DATA_UNAVAILABLE = "data_unavailable"
    BACKEND_ERROR = "backend_error"
    LOST = "lost"


_S = RunStatus
FINAL = frozenset({_S.SUCCEEDED, _S.FAILED, _S.ABORTED, _S.IN_DOUBT})
WAITING = frozenset({_S.DEFINED, _S.WAITING_LOCKS})
HELD = frozenset({_S.PENDING_SUBMIT, _S.SUBMITTED, _S.RUNNING, _S.ABORTING})
"""The states in which an agent owns the run and its clone is in use."""

LEGAL_CHANGES: dict[RunStatus, frozenset[RunStatus]] = {
    _S.DEFINED: frozenset({_S.WAITING_LOCKS, _S.ABORTED}),
    _S.WAITING_LOCKS: frozenset({_S.PENDING_SUBMIT, _S.ABORTED, _S.FAILED}),
    # Back to waiting: the attempt is proven not started or proven ended, and the run may have another one.
    _S.PENDING_SUBMIT: frozenset({_S.SUBMITTED, _S.WAITING_LOCKS, _S.ABORTING, _S.FAILED, _S.IN_DOUBT}),
    _S.SUBMITTED: frozenset({_S.RUNNING, _S.WAITING_LOCKS, _S.ABORTING, _S.SUCCEEDED, _S.FAILED, _S.IN_DOUBT}),
    _S.RUNNING: frozenset({_S.WAITING_LOCKS, _S.ABORTING, _S.SUCCEEDED, _S.FAILED, _S.IN_DOUBT}),
    _S.ABORTING: frozenset({_S.ABORTED, _S.SUCCEEDED, _S.FAILED, _S.IN_DOUBT}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.ABORTED: frozenset(),
    _S.IN_DOUBT: frozenset({_S.SUCCEEDED, _S.FAILED, _S.ABORTED}),
}


def may_follow(old: RunStatus, new: RunStatus) -> bool:
    """Tell whether a run in ``old`` may become ``new``."""
    return new in LEGAL_CHANGES[old]


_HELD_SQL = "status in ('PENDING_SUBMIT', 'SUBMITTED', 'RUNNING', 'ABORTING')"
TERM_MARKS = {
    "tool": "t",
    "owner": "o",
    "submitter": "u",
    "status": "s",
    "cause": "c",
    "job_id": "j",
    "image_digest": "d",
}
"""The columns of a run that are terms of the index of all terms, each with the letter that its terms begin with."""
TERMS_SQL = "(array[" + ", ".join(f"'{mark}' || {column}" for column, mark in TERM_MARKS.items()) + "])"
WORDS_SQL = "to_tsvector('simple', description)"
REBASED_SQL = "original_commit <> output_commit"
_PUSH_OPEN_SQL = "push_state in ('pending', 'refused')"
_NOT_INDEXED_SQL = "push_state = 'pushed' and indexed_at is null"
_QUARANTINE_ASKED_SQL = "quarantine_state in ('promoting', 'discarding')"
_GOOD_SQL = "status = 'SUCCEEDED' and replay_of is null"
_WANTS_LOCKS_SQL = "ended_at is null and locks <> '[]'::jsonb"


def _searched(column: str, *, is_optional: bool = False) -> Index:
    where = text(f"{column} is not null") if is_optional else None
    return Index(f"ix_runs_{column}_defined_at_id", column, "defined_at", "id", postgresql_where=where)


class Run(Base):
    """One execution of a tool, from the moment that the API accepted it.

    ``tool_entry`` is the registry entry as it was when the run was planned. ``clone`` names the clone that the run
    writes to; the partial unique index forbids two runs in one clone. ``attempt`` and ``agent_epoch`` fence
    every update: an agent that was replaced changes no row. ``is_unsettled`` says that the run is over and its files
    are still in the clone: they are set aside before the next run. ``conditions`` is what the attempt was started with,
    ``baseline_tree`` and ``output_tree`` are git's ids of the data before and after it. ``metrics`` are what was
    measured of it: numbers by name. ``replay_of`` is the run that this one repeats, in a work tree of its own.

    ``original_commit`` is the output commit as it was made here; a push that puts it on top of others' commits makes
    another one of it.

    ``parent_id`` is the first run of a chain of resubmissions. ``not_before`` holds a waiting run back (a pause between
    attempts, a job's jitter). ``locks`` are keys in etcd that the run needs while it is held, ``lock_token`` their
    fencing token and ``lock_lease`` the lease that keeps them; a waiting run is claimed with them before
    ``lock_valid_until`` only, by the database's clock. ``output_base`` is the number of the byte with which the present
    attempt's output begins. ``output_removed_at`` says when retention took the output away, and ``is_output_left`` that
    some of it, which nobody can read any more, is still to be removed. ``files_removed_at`` says when it took files
    away that the run saw.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("uq_runs_clone_held", "clone", unique=True, postgresql_where=text(_HELD_SQL)),
        Index("ix_runs_unfinished", "status", "id", postgresql_where=text("ended_at is null")),
        Index("ix_runs_job_unfinished", "job_id", "id", postgresql_where=text("ended_at is null")),
        Index("ix_runs_clone_unsettled", "clone", postgresql_where=text("is_unsettled")),
        Index("ix_runs_lock_lease", "id", postgresql_where=text("lock_lease is not null")),
        Index("ix_runs_locks_unfinished", "id", postgresql_where=text(_WANTS_LOCKS_SQL)),
        # Searches read these, and their form is what makes them quick: see the repository of searches.
        Index("ix_runs_defined_at_id", "defined_at", "id"),
        *(_searched(column) for column in ("tool", "owner", "submitter", "status")),
        *(_searched(column, is_optional=True) for column in ("job_id", "cause", "parent_id", "image_digest")),
        *(_searched(column, is_optional=True) for column in ("input_commit", "output_commit", "quarantine_state")),
        Index(
            "ix_runs_terms",
            text(TERMS_SQL),
            "labels",
            text(WORDS_SQL),
            postgresql_using="gin",
            postgresql_ops={"labels": "jsonb_path_ops"},
        ),
        Index("ix_runs_output_kept", "defined_at", postgresql_where=text("output_removed_at is null")),
        Index("ix_runs_original_commit", "original_commit", postgresql_where=text(REBASED_SQL)),
        Index("ix_runs_push_open", "push_due_at", postgresql_where=text(_PUSH_OPEN_SQL)),
        Index("ix_runs_not_indexed", "id", postgresql_where=text(_NOT_INDEXED_SQL)),
        Index("ix_runs_quarantine_asked", "id", postgresql_where=text(_QUARANTINE_ASKED_SQL)),
        Index("ix_runs_replay_of", "replay_of", "id", postgresql_where=text("replay_of is not null")),
        Index("ix_runs_tool_good", "tool", "ended_at", postgresql_where=text(_GOOD_SQL)),
        Index("ix_runs_output_left", "id", postgresql_where=text("is_output_left")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="SET NULL"))
    tool: Mapped[str]
    tool_entry: Mapped[dict[str, Any] | None]
    job_id: Mapped[str | None]
    due_at: Mapped[datetime | None]
    status: Mapped[str]
    cause: Mapped[str | None]
    message: Mapped[str | None]
    waiting_for: Mapped[str | None]
    description: Mapped[str] = mapped_column(server_default="")
    submitter: Mapped[str]
    owner: Mapped[str]
    backend: Mapped[str]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    profile: Mapped[str] = mapped_column(server_default="standard")
    is_manual_start: Mapped[bool] = mapped_column(server_default=text("false"))
    has_runtime_variables: Mapped[bool] = mapped_column(server_default=text("false"))
    identification_keys: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    locks: Mapped[list[str]] = mapped_column(server_default="[]")
    lock_token: Mapped[int | None] = mapped_column(BigInteger)
    lock_lease: Mapped[int | None] = mapped_column(BigInteger)
    lock_valid_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    defined_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(server_default="0")
    infrastructure_failures: Mapped[int] = mapped_column(server_default="0")
    tool_failures: Mapped[int] = mapped_column(server_default="0")
    output_base: Mapped[int] = mapped_column(BigInteger, server_default="0")
    output_removed_at: Mapped[datetime | None]
    is_output_left: Mapped[bool] = mapped_column(server_default=text("false"))
    files_removed_at: Mapped[datetime | None]
    node: Mapped[str | None]
    agent_epoch: Mapped[int | None] = mapped_column(BigInteger)
    handle: Mapped[str | None]
    exit_code: Mapped[int | None]
    image_digest: Mapped[str | None]
    clone: Mapped[str | None]
    data_url: Mapped[str | None]
    data_branch: Mapped[str | None]
    data_history: Mapped[str | None]
    baseline_tree: Mapped[str | None]
    is_unsettled: Mapped[bool] = mapped_column(server_default=text("false"))
    input_commit: Mapped[str | None]
    output_commit: Mapped[str | None]
    stop_requested_at: Mapped[datetime | None]
    stop_requested_by: Mapped[str | None]
    is_stop_forced: Mapped[bool] = mapped_column(server_default=text("false"))
    warnings: Mapped[list[str]] = mapped_column(server_default="[]")
    conditions: Mapped[dict[str, Any] | None]
    definition_commit: Mapped[str | None]
    output_tree: Mapped[str | None]
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    original_commit: Mapped[str | None]
    replay_of: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("runs.id", ondelete="SET NULL"))
    push_state: Mapped[str | None]
    push_message: Mapped[str | None]
    push_failures: Mapped[int] = mapped_column(server_default="0")
    push_due_at: Mapped[datetime | None]
    indexed_at: Mapped[datetime | None]
    quarantine_state: Mapped[str | None]
    quarantine_commit: Mapped[str | None]
    quarantine_message: Mapped[str | None]
    quarantine_decided_by: Mapped[str | None]
    quarantine_decided_at: Mapped[datetime | None]
    spike: Mapped[dict[str, Any] | None]
    report: Mapped[dict[str, Any] | None]
