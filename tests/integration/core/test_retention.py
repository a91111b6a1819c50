"""What has had its time goes, in batches, and takes nothing along that is still needed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.models.run import RunStatus
from app.repositories import retention
from app.repositories.database import Database
from app.repositories.retention import RetentionRepository
from app.services.retention import RetentionService
from tests.integration.core.expiry import Sweeper, add_file, count, old_run


@pytest.fixture
def sweeper(database: Database) -> Sweeper:
    return Sweeper(database)


def test_what_is_kept_for_ever_stays(database: Database, sweeper: Sweeper) -> None:
    run_id = old_run(database, 100_000, b"text")
    add_file(database, run_id, 100_000)
    found = sweeper.remove()
    assert {kind: each.amount.count for kind, each in found.items() if each.before is None} == dict.fromkeys(
        ("output", "files", "runs", "firings", "audit_log", "idempotency_keys", "notifications"), 0
    )
    assert count(database, "runs") == count(database, "run_output") == count(database, "run_files") == 1


def test_a_run_goes_with_all_that_belongs_to_it(database: Database, sweeper: Sweeper) -> None:
    old, young = old_run(database, 31, b"x" * 25), old_run(database, 29, b"y" * 25)
    files = [add_file(database, old), add_file(database, young)]
    found = sweeper.keep(runs_days=30).remove()
    assert (found["runs"].amount.count, found["output"].amount.size_bytes, found["files"].amount.size_bytes) == (
        1,
        25,
        7,
    )
    assert sweeper.files == files[:1]
    for table in ("runs", "run_output", "run_attempts", "run_events", "run_files"):
        column = "id" if table == "runs" else "run_id"
        assert count(database, table, f"{column} = {old}") == 0, table
        assert count(database, table, f"{column} = {young}") > 0, table


def test_output_goes_before_its_run_and_the_run_says_when(database: Database, sweeper: Sweeper) -> None:
    run_id = old_run(database, 10, b"z" * 35)
    found = sweeper.keep(output_days=7, runs_days=30).remove()
    assert (found["output"].amount.count, found["output"].amount.size_bytes) == (1, 35)
    assert count(database, "run_output") == 0
    assert count(database, "runs", f"id = {run_id} and output_removed_at is not null") == 1
    assert sweeper.remove()["output"].amount.count == 0


def test_the_preview_tells_what_is_removed_then_and_changes_nothing(database: Database, sweeper: Sweeper) -> None:
    runs = [old_run(database, days, b"t" * 1000) for days in (5, 40, 50, 400)]
    for run_id in runs:
        add_file(database, run_id)
    sweeper.keep(runs_days=300, output_days=30, files_days=45)
    before = sweeper.preview()
    assert count(database, "run_output") == 400
    after = sweeper.remove()
    assert {kind: each.amount.count for kind, each in before.items()} == {
        kind: each.amount.count for kind, each in after.items()
    }
    assert before["output"].amount == after["output"].amount
    assert [before[kind].amount.count for kind in ("output", "files", "runs")] == [3, 2, 1]
    assert before["output"].amount.size_bytes == 3000


def test_a_run_in_doubt_counts_as_over_and_a_live_one_never_does(database: Database, sweeper: Sweeper) -> None:
    doubtful = old_run(database, 40, status=RunStatus.IN_DOUBT)
    live = old_run(database, 40, b"live", status=RunStatus.RUNNING, ended_at=None)
    assert sweeper.keep(runs_days=30).remove()["runs"].amount.count == 1
    assert count(database, "runs", f"id = {doubtful}") == 0
    assert count(database, "run_output", f"run_id = {live}") == 1


def test_a_run_whose_files_are_to_be_set_aside_stays_until_they_are(database: Database, sweeper: Sweeper) -> None:
    run_id = old_run(database, 40, is_unsettled=True)
    sweeper.keep(runs_days=30)
    assert sweeper.preview()["runs"].amount.count == sweeper.remove()["runs"].amount.count == 0
    with database.transaction() as session:
        session.execute(text("update runs set is_unsettled = false where id = :id"), {"id": run_id})
    assert sweeper.remove()["runs"].amount.count == 1


def test_files_stay_while_a_resubmission_that_reads_them_goes_on(database: Database, sweeper: Sweeper) -> None:
    first = old_run(database, 40)
    again = old_run(database, 1, parent_id=first, status=RunStatus.RUNNING, ended_at=None)
    add_file(database, first)
    sweeper.keep(runs_days=30, files_days=30)
    found = sweeper.remove()
    assert (found["files"].amount.count, found["runs"].amount.count, sweeper.files) == (0, 0, [])
    with database.transaction() as session:
        session.execute(text("update runs set status = 'FAILED', ended_at = now() where id = :id"), {"id": again})
    found = sweeper.remove()
    assert (found["files"].amount.count, found["runs"].amount.count, len(sweeper.files)) == (1, 1, 1)
    assert count(database, "runs", f"id = {again} and parent_id is null") == 1


@pytest.mark.parametrize(
    ("kind", "setting", "row"),
    [
        (
            "firings",
            "firings_days",
            "(job_id, owner, due_at, recorded_at, outcome, reason) values ('j', 'o', :at, :at, 'fired', '')",
        ),
        ("audit_log", "audit_days", "(at, actor, action, target) values (:at, 'a', 'b', 'c')"),
        ("refusals", None, "(source, minute, count) values ('1.2.3.4', :at, 3)"),
    ],
)
def test_records_go_by_their_age(
    database: Database, sweeper: Sweeper, kind: str, setting: str | None, row: str
) -> None:
    with database.transaction() as session:
        for days in (0.5, 29, 31, 32):
            session.execute(text(f"insert into {kind} {row}"), {"at": utc_now() - timedelta(days=days)})
    sweeper.keep(**({setting: 30} if setting else {}))
    expected = 2 if setting else 3
    assert sweeper.preview()[kind].amount.count == expected
    assert sweeper.remove()[kind].amount.count == expected
    assert count(database, kind, "true" if kind != "audit_log" else "actor <> 'olga'") == 4 - expected


def test_keys_go_after_the_time_in_which_they_count(database: Database, sweeper: Sweeper) -> None:
    run_id = old_run(database, 1)
    with database.transaction() as session:
        for number, days in enumerate((1, 40)):
            session.execute(
                text(
                    "insert into idempotency_keys"
                    " values ('o', 'olga', :key, '', :run, now() - make_interval(days => :days))"
                ),
                {"key": str(number), "run": run_id, "days": days},
            )
    assert sweeper.keep(idempotency_days=30).remove()["idempotency_keys"].amount.count == 1
    assert count(database, "idempotency_keys", "key = '0'") == 1


def test_a_notification_goes_after_its_time_with_its_deliveries(database: Database, sweeper: Sweeper) -> None:
    with database.transaction() as session:
        for ulid, days in (("01OLD", 400), ("01NEW", 300)):
            session.execute(
                text(
                    "insert into notifications (ulid, kind, tool, summary, values, created_at)"
                    " values (:ulid, 'spike', 'x', '', '{}', now() - make_interval(days => :days))"
                ),
                {"ulid": ulid, "days": days},
            )
            columns = "insert into deliveries (ulid, channel, target, state, due_at)"
            session.execute(text(f"{columns} values (:ulid, 'webhook', 't', 'pending', now())"), {"ulid": ulid})
    assert sweeper.keep(notifications_days=365).remove()["notifications"].amount.count == 1
    assert count(database, "notifications", "ulid = '01NEW'") == count(database, "deliveries") == 1


def _many_old_runs(database: Database, count: int) -> None:
    with database.transaction() as session:
        session.execute(
            text("""
                with made as (
                    insert into runs (tool, status, submitter, owner, backend, defined_at, ended_at)
                    select 't', 'SUCCEEDED', 's', 'o', 'dummy', now() - interval '40 days', now() - interval '40 days'
                      from generate_series(1, :count) returning id
                ), printed as (insert into run_output select id, 0, 'hello' from made),
                fired as (
                    insert into firings (job_id, owner, due_at, recorded_at, outcome, reason, run_id)
                    select 'j' || id, 'o', now(), now(), 'fired', '', id from made
                )
                insert into run_events (run_id, at, to_status, actor) select id, now(), 'SUCCEEDED', 'a' from made
            """),
            {"count": count},
        )


def test_the_audit_log_says_what_was_removed(database: Database, sweeper: Sweeper) -> None:
    old_run(database, 31, b"12345")
    sweeper.keep(runs_days=30).remove()
    sweeper.remove()
    noted = "select target, (details->>'count')::int from audit_log where actor = 'olga' and result = 'done' order by 1"
    with database.transaction() as session:
        assert list(map(tuple, session.execute(text(noted)))) == [("output", 1), ("runs", 1)]


def test_two_at_once_remove_everything_once(database: Database, sweeper: Sweeper) -> None:
    _many_old_runs(database, 3000)
    sweeper.keep(runs_days=30)
    at_once = threading.Barrier(2)

    def remove(_: int) -> int:
        at_once.wait()
        return next(
            each.amount.count for each in sweeper.service().remove("olga", lambda: False) if each.kind == "runs"
        )

    with ThreadPoolExecutor(2) as pool:
        removed = sum(pool.map(remove, range(2)))
    # The one that ended first may have left to the other what that had in its hands.
    assert removed + sweeper.remove()["runs"].amount.count == 3000
    assert count(database, "runs") == count(database, "run_output") == count(database, "run_events") == 0
    assert count(database, "firings", "run_id is null") == 3000


def test_a_removal_that_is_cut_short_is_completed_by_the_next(database: Database, sweeper: Sweeper) -> None:
    _many_old_runs(database, 1200)
    sweeper.keep(runs_days=30).service().remove("olga", lambda: True)
    assert 0 < count(database, "runs") < 1200
    sweeper.remove()
    assert count(database, "runs") == 0


def test_what_somebody_else_holds_is_left_and_not_waited_for(database: Database, sweeper: Sweeper) -> None:
    _many_old_runs(database, 3)
    with database.transaction() as session:
        session.execute(text("select id from runs order by id limit 1 for update"))
        assert sweeper.keep(runs_days=30).remove()["runs"].amount.count == 2
    assert sweeper.remove()["runs"].amount.count == 1


def test_every_table_that_refers_to_runs_is_found_by_an_index(database: Database) -> None:
    without_index = text("""
        select c.conrelid::regclass::text from pg_constraint c
         where c.contype = 'f' and c.confrelid = 'runs'::regclass and not exists (
             select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1]
                and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) like '%IS NOT NULL%'))
    """)
    with database.transaction() as session:
        assert list(session.scalars(without_index)) == []


def test_removing_runs_scans_no_large_table(database: Database, sweeper: Sweeper) -> None:
    _many_old_runs(database, 5000)
    with database.transaction() as session:
        session.execute(text("update runs set output_removed_at = now()"))
        session.execute(text("update runs set ended_at = now() where id > 5"))
    with database.transaction() as session:
        for table in ("runs", "run_events", "run_output", "firings"):
            session.execute(text(f"analyze {table}"))
    with database.transaction() as session:
        assert RetentionRepository(session).remove_runs(utc_now() - timedelta(days=30)).count == 5
        scanned = "select relname from pg_stat_xact_user_tables where seq_tup_read > 1000"
        assert set(session.scalars(text(scanned))) <= {"runs"}


def test_an_output_of_very_many_pieces_goes_in_batches_and_is_unreadable_at_once(
    database: Database, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_PIECES", 3)
    monkeypatch.setattr(retention, "_MORE_PIECES", 4)
    huge, small = old_run(database, 50, b"h" * 200), old_run(database, 40, b"s" * 10)
    sweeper.keep(output_days=30, runs_days=35).service().remove("olga", lambda: True)
    assert count(database, "run_output", f"run_id = {huge}") == 17
    assert count(database, "runs", f"id = {huge} and output_removed_at is not null and is_output_left") == 1
    assert sweeper.service().remove("olga", lambda: True)[0].amount.size_bytes == 40
    assert count(database, "run_output", f"run_id = {huge}") == 13
    found = sweeper.remove()
    assert (found["output"].amount.size_bytes, found["runs"].amount.count) == (140, 2)
    assert count(database, "run_output") == count(database, "runs", f"id in ({huge}, {small})") == 0


def test_pieces_that_are_large_go_by_their_size(
    database: Database, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_PIECES", 1)
    monkeypatch.setattr(retention, "_MORE_BYTES", 25)
    run_id = old_run(database, 50, b"h" * 100)
    sweeper.keep(output_days=30)
    left = []
    for _ in range(5):
        sweeper.service().remove("olga", lambda: True)
        left.append(count(database, "run_output", f"run_id = {run_id}"))
    assert left == [9, 6, 3, 0, 0]
    assert count(database, "runs", "is_output_left") == 0


def test_a_kind_that_cannot_be_removed_keeps_no_other_from_it(database: Database, sweeper: Sweeper) -> None:
    add_file(database, old_run(database, 40, b"text"))
    sweeper.keep(runs_days=30)

    def refuse(_: int) -> None:
        raise OSError("The disk is read-only.")

    with pytest.raises(OSError, match="read-only"):
        RetentionService(database, sweeper.days, refuse).remove("olga", lambda: False)
    assert count(database, "run_output") == count(database, "runs") == 0
    assert count(database, "audit_log", "actor = 'olga' and target in ('output', 'runs')") == 2
