"""Output as its readers see it: by piece, from the end, and as it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from app.errors import Busy, DatabaseDown, Gone, NotFound
from app.models.run import RunStatus
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.listener import RunChanges
from app.repositories.outputs import OutputRepository
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.runs import RunRepository
from app.services import outputs as module
from app.services.outputs import Cut, End, OutputPage, OutputService, Piece
from app.services.runs import RunService
from tests.integration.core.conftest import add_run


@pytest.fixture
def run_id(database: Database) -> int:
    run = add_run(database)
    with database.transaction() as session:
        RunQueue(session).claim(node="n", epoch=7, capacity=Capacity(1))
    return run.id


@pytest.fixture
def changes(database: Database) -> Iterator[RunChanges]:
    made = RunChanges(database.url, most_waiting=2)
    yield made
    made.close()


@pytest.fixture
def service(database: Database, changes: RunChanges) -> OutputService:
    return OutputService(database, changes)


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.02)


def _print(database: Database, run_id: int, start: int, data: bytes) -> None:
    with database.transaction() as session:
        assert OutputRepository(session).append(run_id, start, data, epoch=7)


def _end(database: Database, run_id: int) -> None:
    with database.transaction() as session:
        assert RunRepository(session).change(
            run_id, RunStatus.PENDING_SUBMIT, RunStatus.FAILED, actor="a", cause="backend_error"
        )


def _steps(service: OutputService, who: Identity, run_id: int, start: int = 0) -> list[object]:
    stream = service.follow(who, run_id, start)
    try:
        return list(stream)
    finally:
        stream.close()


def test_a_page_tells_where_it_is_and_what_was_not_kept(
    database: Database, service: OutputService, run_id: int, owner: Identity
) -> None:
    _print(database, run_id, 0, b"head")
    _print(database, run_id, 90, b"the end\n")
    page = service.read(owner, run_id, 2, 100)
    assert (page.data, page.first_byte, page.next_byte, page.total_bytes, page.cuts) == (b"ad", 2, 4, 98, ((4, 90),))
    assert service.read(owner, run_id, 4, 3).data == b"the"
    assert service.tail(owner, run_id, 1).data == b"the end\n"


@pytest.mark.parametrize("read", [lambda s, *a: s.read(*a, 0, 100), lambda s, *a: s.tail(*a, 9)], ids=["read", "tail"])
def test_a_page_knows_nothing_of_what_is_printed_while_it_is_read(
    database: Database,
    service: OutputService,
    run_id: int,
    owner: Identity,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[OutputService, Identity, int], OutputPage],
) -> None:
    cuts = OutputRepository.cuts

    def cuts_a_moment_later(repository: OutputRepository, of_run: int) -> list[tuple[int, int]]:
        _print(database, of_run, 90, b"the end")
        return cuts(repository, of_run)

    with monkeypatch.context() as patch:
        patch.setattr(OutputRepository, "cuts", cuts_a_moment_later)
        assert read(service, owner, run_id) == OutputPage(b"", 0, 0, 0, ())
    assert read(service, owner, run_id) == OutputPage(b"the end", 90, 97, 97, ((0, 90),))


def test_output_of_a_stranger_is_not_found(service: OutputService, run_id: int, stranger: Identity) -> None:
    calls: list[Callable[[], object]] = [
        lambda: service.read(stranger, run_id, 0, 1),
        lambda: service.tail(stranger, run_id, 1),
        lambda: service.follow(stranger, run_id, 0),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_output_that_was_removed_is_gone_and_the_day_is_told(
    database: Database, service: OutputService, run_id: int, owner: Identity
) -> None:
    with database.transaction() as session:
        session.execute(text("update runs set output_removed_at = '2024-02-29 12:00+00'"))
    for call in (service.read, service.follow):
        with pytest.raises(Gone, match="removed on 2024-02-29"):
            call(owner, run_id, 0, *((10,) if call == service.read else ()))


def test_a_final_run_is_given_with_its_cut_and_its_end(
    database: Database, service: OutputService, run_id: int, owner: Identity
) -> None:
    _print(database, run_id, 0, b"head")
    _print(database, run_id, 90, b"end")
    _end(database, run_id)
    end = End(RunStatus.FAILED, "backend_error", 93)
    assert _steps(service, owner, run_id) == [Piece(0, b"head"), Cut(4, 90), Piece(90, b"end"), end]
    assert _steps(service, owner, run_id, 2) == [Piece(2, b"ad"), Cut(4, 90), Piece(90, b"end"), end]
    assert _steps(service, owner, run_id, 92) == [Piece(92, b"d"), end]
    assert _steps(service, owner, run_id, 93) == [end]


def test_output_is_given_as_it_comes_until_the_run_is_final(
    database: Database, service: OutputService, run_id: int, owner: Identity
) -> None:
    stream = iter(service.follow(owner, run_id, 0))
    for start, data in ((0, b"one "), (4, b"two "), (8, b"three")):
        _print(database, run_id, start, data)
        assert next(stream) == Piece(start, data)
    _end(database, run_id)
    assert next(stream) == End(RunStatus.FAILED, "backend_error", 13)
    assert list(stream) == []


def test_what_a_run_printed_last_is_never_lost_behind_its_end(
    database: Database, service: OutputService, owner: Identity
) -> None:
    for _ in range(5):
        run = add_run(database)
        with database.transaction() as session:
            RunQueue(session).claim(node="n", epoch=7, capacity=Capacity(9))
        followed: list[object] = []
        reader = threading.Thread(
            target=lambda run_id=run.id, seen=followed: seen.extend(_steps(service, owner, run_id))
        )
        reader.start()
        for start in range(20):
            _print(database, run.id, start, b"x")
        with database.transaction() as session:
            OutputRepository(session).append(run.id, 20, b"last", epoch=7)
            RunRepository(session).change(run.id, RunStatus.PENDING_SUBMIT, RunStatus.FAILED, actor="a", cause="lost")
        reader.join(30)
        assert b"".join(step.data for step in followed if isinstance(step, Piece)) == b"x" * 20 + b"last"
        assert isinstance(followed[-1], End)


def test_a_silent_run_is_heard_of_all_the_same(
    service: OutputService, run_id: int, owner: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.0)
    stream = iter(service.follow(owner, run_id, 0))
    assert [next(stream), next(stream)] == [None, None]


def test_a_stream_ends_after_its_time_so_that_the_token_is_looked_at_again(
    service: OutputService, run_id: int, owner: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_SECONDS", 0.0)
    assert _steps(service, owner, run_id) == []


def test_a_database_that_is_away_for_a_moment_ends_no_stream(
    database: Database, changes: RunChanges, run_id: int, owner: Identity
) -> None:
    class Absent(Database):
        is_away = False

        def transaction(self):  # type: ignore[no-untyped-def]
            if self.is_away:
                self.is_away = False
                raise DatabaseDown("PostgreSQL does not answer.")
            return super().transaction()

    absent = Absent(database.url)
    stream = iter(OutputService(absent, changes).follow(owner, run_id, 0))
    absent.is_away = True
    _print(database, run_id, 0, b"text")
    assert next(stream) == Piece(0, b"text")
    absent.close()


def test_streams_and_waits_share_the_places_and_give_them_back(
    database: Database, service: OutputService, changes: RunChanges, run_id: int, owner: Identity
) -> None:
    runs = RunService(database, changes)
    streams = [service.follow(owner, run_id, 0) for _ in range(2)]
    with pytest.raises(Busy):
        service.follow(owner, run_id, 0)
    # No place is left, so this comes back at once, however long it would have waited.
    assert runs.wait(owner, run_id, 3600.0).status == RunStatus.PENDING_SUBMIT
    for stream in streams:
        stream.close()
        stream.close()
    assert runs.wait(owner, run_id, 0.0).status == RunStatus.PENDING_SUBMIT
    for _ in range(3):
        service.follow(owner, run_id, 0).close()


def test_of_many_who_come_at_once_only_as_many_get_a_place_as_there_are(
    service: OutputService, run_id: int, owner: Identity
) -> None:
    at_once = threading.Barrier(10)
    outcomes: list[str] = []

    def come() -> None:
        at_once.wait()
        try:
            service.follow(owner, run_id, 0)
            outcomes.append("in")
        except Busy:
            outcomes.append("out")

    threads = [threading.Thread(target=come) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in"] * 2 + ["out"] * 8
