"""What is older than it is to be kept: removed, or only counted, in batches that take a moment each.

Two may remove at once: a batch leaves out what another one has in its hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, func, literal_column, select, text
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.idempotency import IdempotencyKey
from app.models.job import Firing
from app.models.notification import Notification
from app.models.refusal import Refusal

_BATCH = 500
_PIECES = 200
"""Pieces of output that a batch removes of the runs that it begins with: 200 MiB of each at most."""
_MORE_PIECES = 20_000
_MORE_BYTES = 200 * 2**20
"""What a batch removes at most of a run whose output another batch has begun with, and one piece at least."""


@dataclass(frozen=True)
class Amount:
    """So many rows or files, and about how many bytes they took."""

    count: int = 0
    size_bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Give both together."""
        return Amount(self.count + other.count, self.size_bytes + other.size_bytes)


class RetentionRepository:
    """Queries about what has had its time, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def remove_output(self, before: datetime) -> tuple[int, Amount]:
        """Remove output of runs that ended before; give how many runs were seen, and what was removed.

        It is noted on a run before any of its output goes, so that nobody takes a part for the whole. Nothing more is
        to be done when none was seen.
        """
        left = self._session.execute(_REMOVE_MORE_OUTPUT, {"pieces": _MORE_PIECES, "bytes": _MORE_BYTES}).one_or_none()
        if left is not None:
            return 1, Amount(0, left.size_bytes)
        values = {"before": before, "now": utc_now(), "runs": _BATCH, "pieces": _PIECES}
        seen, runs, size_bytes = self._session.execute(_REMOVE_OUTPUT, values).one()
        return seen, Amount(runs, size_bytes)

    def count_output(self, before: datetime, after: int) -> tuple[int | None, Amount]:
        """Count a batch of the output that would be removed, behind run ``after``; give the last run counted too."""
        values = {"before": before, "after": after, "runs": _BATCH, "pieces": _PIECES}
        last, runs, size_bytes = self._session.execute(_COUNT_OUTPUT, values).one()
        return last, Amount(runs, size_bytes)

    def remove_files(self, before: datetime) -> dict[int, int]:
        """Remove the rows of files of runs that ended before, and note it; give the bytes of each by its number.

        The first runs of the chains are held meanwhile, so that no resubmission begins that would see the files.
        """
        values = {"before": before, "limit": _BATCH}
        # Two statements: only the second one sees resubmissions that were stored while the first one began.
        held = list(self._session.scalars(_HOLD_CHAINS, values))
        rows = self._session.execute(_REMOVE_FILES, {**values, "held": held, "now": utc_now()})
        return {row.id: row.size_bytes for row in rows}

    def count_files(self, before: datetime) -> Amount:
        """Count the files that would be removed."""
        return self._amount(_COUNT_FILES, before=before)

    def remove_runs(self, before: datetime) -> Amount:
        """Remove runs that ended before and whose output is gone, with all that belongs to them.

        One whose files are still to be set aside stays, and so does one while a resubmission of it goes on.
        """
        return self._amount(_REMOVE_RUNS, before=before, limit=_BATCH)

    def count_runs(self, before: datetime) -> Amount:
        """Count the runs that would be removed."""
        return self._amount(_COUNT_RUNS, before=before)

    def remove_records(self, kind: str, before: datetime) -> Amount:
        """Remove records of a kind in ``RECORDS`` that were made before."""
        table, made_at = _columns(kind)
        due = (
            select(*table.primary_key)
            .where(made_at < bindparam("before"))
            .order_by(made_at)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        is_due = and_(*(column == due.c[column.name] for column in table.primary_key))
        gone = delete(table).where(is_due).returning(_size_of(table)).cte("gone")
        query = select(func.count(), func.coalesce(func.sum(gone.c.size), 0)).select_from(gone)
        return self._amount(query, before=before)

    def count_records(self, kind: str, before: datetime) -> Amount:
        """Count the records that would be removed."""
        table, made_at = _columns(kind)
        sizes = select(_size_of(table)).where(made_at < bindparam("before")).subquery()
        query = select(func.count(), func.coalesce(func.sum(sizes.c.size), 0)).select_from(sizes)
        return self._amount(query, before=before)

    def _amount(self, query: Any, **values: Any) -> Amount:
        count, size_bytes = self._session.execute(query, values).one()
        return Amount(count, int(size_bytes))


RECORDS: dict[str, tuple[type[Base], str]] = {
    "firings": (Firing, "recorded_at"),
    "audit_log": (AuditEntry, "at"),
    "idempotency_keys": (IdempotencyKey, "created_at"),
    "notifications": (Notification, "created_at"),
    "refusals": (Refusal, "minute"),
}
"""The tables whose rows go one by one when they are old, each with the column that tells their age."""


def _columns(kind: str) -> tuple[Table, ColumnElement[datetime]]:
    model, name = RECORDS[kind]
    table = model.__table__
    assert isinstance(table, Table)
    return table, table.c[name]


def _size_of(table: Table) -> ColumnElement[int]:
    return func.pg_column_size(literal_column(f"{table.name}.*")).label("size")


# A run is looked for by the time of its definition, which is before its end and has an index.
_REMOVE_OUTPUT = text("""
    with due as materialized (
        select id from runs
         where output_removed_at is null and defined_at < :before and ended_at < :before
         order by defined_at limit :runs for update skip locked
    ), sized as (
        select due.id, counted.pieces, sum(counted.pieces) over (order by due.id) - counted.pieces as ahead
          from due, lateral (
              select count(*) as pieces from (select 1 from run_output where run_id = due.id limit :pieces) as few
          ) as counted
    ), chosen as materialized (select id, pieces from sized where ahead < :pieces),
    gone as (
        delete from run_output where ctid = any(array(
            select few.place from chosen, lateral (
                select ctid as place from run_output where run_id = chosen.id limit :pieces
            ) as few
        ))
        returning run_id, length(data) as size
    ), marked as (
        update runs set output_removed_at = :now, is_output_left = chosen.pieces = :pieces
          from chosen where runs.id = chosen.id returning runs.id
    )
    select (select count(*) from marked), (select count(distinct run_id) from gone),
           (select coalesce(sum(size), 0)::bigint from gone)
""")
_REMOVE_MORE_OUTPUT = text("""
    with run as materialized (select id from runs where is_output_left order by id limit 1 for update skip locked),
    few as materialized (
        select pieces.ctid as place, row_number() over next_ones as number,
               sum(size) over next_ones - size as ahead
          from (select id from run) as run, lateral (
              select ctid, start_byte, length(data) as size from run_output
               where run_id = run.id order by start_byte limit :pieces + 1
          ) as pieces
        window next_ones as (order by start_byte)
    ), gone as (
        delete from run_output where ctid = any(array(
            select place from few where number <= :pieces and ahead < :bytes
        ))
        returning length(data) as size
    ), marked as (
        update runs set is_output_left = (select count(*) from few) > (select count(*) from gone)
          from run where runs.id = run.id returning runs.id
    )
    select marked.id, (select coalesce(sum(size), 0)::bigint from gone) as size_bytes from marked
""")
_COUNT_OUTPUT = text("""
    with due as materialized (
        select id from runs
         where output_removed_at is null and defined_at < :before and ended_at < :before and id > :after
         order by id limit :runs
    ), sized as (
        select due.id, sum(counted.pieces) over (order by due.id) - counted.pieces as ahead
          from due, lateral (
              select count(*) as pieces from (select 1 from run_output where run_id = due.id limit :pieces) as few
          ) as counted
    ), chosen as materialized (select id from sized where ahead < :pieces)
    select max(chosen.id), count(distinct run_output.run_id), coalesce(sum(length(run_output.data)), 0)::bigint
      from chosen left join run_output on run_output.run_id = chosen.id
""")
_HOLD_CHAINS = text("""
    with live as (select coalesce(parent_id, id) as first_id from runs where ended_at is null),
    due as materialized (
        select coalesce(runs.parent_id, runs.id) as first_id
          from run_files join runs on runs.id = run_files.run_id
         where run_files.uploaded_at < :before and runs.ended_at < :before
           and coalesce(runs.parent_id, runs.id) not in (select first_id from live)
         order by run_files.uploaded_at limit :limit
    )
    select id from runs where id in (select first_id from due) for update skip locked
""")
_REMOVE_FILES = text("""
    with live as (select coalesce(parent_id, id) as first_id from runs where ended_at is null),
    due as materialized (
        select run_files.id, run_files.run_id from run_files join runs on runs.id = run_files.run_id
         where run_files.uploaded_at < :before and runs.ended_at < :before
           and coalesce(runs.parent_id, runs.id) = any(cast(:held as bigint[]))
           and coalesce(runs.parent_id, runs.id) not in (select first_id from live)
         order by run_files.uploaded_at limit :limit for update of run_files skip locked
    ), marked as (
        update runs set files_removed_at = :now
         where id in (select run_id from due) or parent_id in (select run_id from due)
    )
    delete from run_files using due where run_files.id = due.id returning run_files.id, run_files.size_bytes
""")
_COUNT_FILES = text("""
    with live as (select coalesce(parent_id, id) as first_id from runs where ended_at is null)
    select count(*), coalesce(sum(run_files.size_bytes), 0)
      from run_files join runs on runs.id = run_files.run_id
     where run_files.uploaded_at < :before and runs.ended_at < :before
       and coalesce(runs.parent_id, runs.id) not in (select first_id from live)
""")
_REMOVE_RUNS = text("""
    with live as (select coalesce(parent_id, id) as first_id from runs where ended_at is null),
    due as materialized (
        select id from runs
         where defined_at < :before and ended_at < :before and output_removed_at is not null and not is_unsettled
           and status in ('SUCCEEDED', 'FAILED', 'ABORTED', 'IN_DOUBT') and not is_output_left
           and coalesce(parent_id, id) not in (select first_id from live)
         order by defined_at limit :limit for update skip locked
    ), gone as (delete from runs using due where runs.id = due.id returning pg_column_size(runs.*) as size)
    select count(*), coalesce(sum(size), 0) from gone
""")
_COUNT_RUNS = text("""
    with live as (select coalesce(parent_id, id) as first_id from runs where ended_at is null)
    select count(*), coalesce(sum(pg_column_size(runs.*)), 0) from runs
     where defined_at < :before and ended_at < :before and not is_unsettled
       and status in ('SUCCEEDED', 'FAILED', 'ABORTED', 'IN_DOUBT')
       and coalesce(parent_id, id) not in (select first_id from live)
""")
