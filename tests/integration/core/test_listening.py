"""The thread that listens for those who wait for runs lives as long as its owner says."""

from __future__ import annotations

import threading

from app.models.run import RunStatus
from app.repositories.database import Database
from app.repositories.listener import RunChanges
from app.repositories.runs import RunRepository
from tests.integration.core.conftest import add_run

NOBODY_LISTENS = "postgresql+psycopg2://mao@127.0.0.1:1/mao"


def _is_listening() -> bool:
    return any(thread.name == "run-changes" for thread in threading.enumerate())


def test_who_waits_is_woken_by_the_end_of_the_run_until_the_owner_closes(database: Database) -> None:
    run_id = add_run(database).id
    changes = RunChanges(database.url, most_waiting=1)
    event = changes.take_place(run_id)
    assert event is not None
    assert event.wait(30), "the first word is that it listens"
    event.clear()
    with database.transaction() as session:
        assert RunRepository(session).change(run_id, RunStatus.WAITING_LOCKS, RunStatus.ABORTED, actor="olga")
    assert event.wait(30)
    changes.close()
    changes.close()
    assert not _is_listening()


def test_the_thread_ends_though_postgresql_is_away() -> None:
    changes = RunChanges(NOBODY_LISTENS, most_waiting=1)
    changes.take_place(1)
    assert _is_listening()
    changes.close()
    assert not _is_listening()


def test_who_comes_after_the_owner_closed_starts_no_thread() -> None:
    changes = RunChanges(NOBODY_LISTENS, most_waiting=1)
    changes.close()
    assert changes.take_place(1) is not None
    assert not _is_listening()
