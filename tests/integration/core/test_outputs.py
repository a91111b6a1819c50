"""Output is stored by byte number: no hole, no repeat, and the cut of a huge one is told."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.errors import AlreadyExists, WrongState
from app.models.attempt import RunAttempt
from app.repositories.database import Database
from app.repositories.outputs import OutputRepository
from app.repositories.run_queue import Capacity, RunQueue
from app.repositories.runs import RunRepository
from app.services.output_buffer import TAIL_BYTES, OutputBuffer
from tests.integration.core.conftest import add_run


@pytest.fixture
def run_id(database: Database) -> int:
    run = add_run(database)
    with database.transaction() as session:
        RunQueue(session).claim(node="n", epoch=7, capacity=Capacity(1))
    return run.id


def _buffer(
    database: Database, run_id: int, *, epoch: int = 7, start: int = 0, limit: int = 10 * 2**20
) -> OutputBuffer:
    return OutputBuffer(database, run_id, epoch, start_byte=start, limit_bytes=limit)


def _read(database: Database, run_id: int, start: int = 0, limit: int = 2**30) -> tuple[int, bytes]:
    with database.transaction() as session:
        return OutputRepository(session).read(run_id, start, limit)


def _store_rest(database: Database, run_id: int, buffer: OutputBuffer) -> None:
    with database.transaction() as session:
        for start, data in buffer.close():
            assert OutputRepository(session).append(run_id, start, data, epoch=7)


def test_pieces_come_back_as_one_text_from_any_byte(database: Database, run_id: int) -> None:
    text = bytes(range(256)) * 5
    buffer = _buffer(database, run_id)
    for start in range(0, len(text), 100):
        buffer.add(text[start : start + 100])
        buffer.flush()
    assert _read(database, run_id) == (0, text)
    for start in (0, 1, 99, 100, 101, 777, len(text) - 1):
        assert _read(database, run_id, start) == (start, text[start:])
    assert _read(database, run_id, 150, 200) == (150, text[150:350])
    assert _read(database, run_id, len(text)) == (len(text), b"")


def test_storing_one_byte_twice_is_refused(database: Database, run_id: int) -> None:
    for expected_error in (None, AlreadyExists):
        buffer = _buffer(database, run_id)
        buffer.add(b"once")
        if expected_error is None:
            buffer.flush()
        else:
            with pytest.raises(expected_error):
                buffer.flush()
    assert _read(database, run_id) == (0, b"once")


def test_an_agent_of_an_older_epoch_stores_nothing(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id, epoch=6)
    buffer.add(b"late")
    with pytest.raises(WrongState):
        buffer.flush()
    assert _read(database, run_id) == (0, b"")


def test_a_new_agent_goes_on_at_the_right_byte(database: Database, run_id: int) -> None:
    first = _buffer(database, run_id)
    first.add(b"one two ")
    first.flush()
    with database.transaction() as session:
        end = OutputRepository(session).end(run_id)
    second = _buffer(database, run_id, start=end)
    second.add(b"three")
    _store_rest(database, run_id, second)
    assert _read(database, run_id) == (0, b"one two three")
    with database.transaction() as session:
        assert OutputRepository(session).cuts(run_id) == []


def test_a_huge_output_keeps_head_and_tail_and_counts_what_is_cut(database: Database, run_id: int) -> None:
    limit = 3 * 2**20
    lines = b"".join(b"line %07d\n" % number for number in range(600_000))
    buffer = _buffer(database, run_id, limit=limit)
    for start in range(0, len(lines), 65_536):
        buffer.add(lines[start : start + 65_536])
    warning = buffer.warning
    _store_rest(database, run_id, buffer)
    head = limit - TAIL_BYTES
    assert warning == (
        f"The output was too long: {buffer.cut_bytes} bytes behind its first {head} are not kept; its end is."
    )
    first, data = _read(database, run_id)
    assert (first, data) == (0, lines[:head])
    first, data = _read(database, run_id, head)
    assert data == lines[first:]
    assert first - head == buffer.cut_bytes > 0
    assert len(data) >= TAIL_BYTES
    with database.transaction() as session:
        assert OutputRepository(session).cuts(run_id) == [(head, first)]


def test_the_last_lines_are_found_from_the_end(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id)
    buffer.add(b"".join(b"line %d\n" % number for number in range(1000)))
    buffer.flush()
    with database.transaction() as session:
        outputs = OutputRepository(session)
        assert outputs.tail(run_id, 2, 2**20)[1] == b"line 998\nline 999\n"
        assert outputs.tail(run_id, 5000, 2**20)[0] == 0
        assert outputs.tail(run_id, 3, 12)[1] == b"98\nline 999\n"


def test_the_last_line_may_lack_its_end(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id)
    buffer.add(b"one\ntwo\nthree")
    buffer.flush()
    with database.transaction() as session:
        assert OutputRepository(session).tail(run_id, 2, 100) == (4, b"two\nthree")


def test_a_closed_buffer_stores_nothing_any_more(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id)
    buffer.add(b"once")
    assert buffer.close() == [(0, b"once")]
    buffer.flush()
    assert _read(database, run_id) == (0, b"")


def test_an_output_that_was_kept_whole_has_no_warning(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id)
    buffer.add(b"all of it")
    assert buffer.warning is None


def test_where_nobody_counted_the_bytes_that_are_not_kept_the_warning_says_so(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id, limit=TAIL_BYTES + 10)
    buffer.add(b"0123456789 and then the true end, as it seems, and more than there is room for")
    buffer.replace_tail(b"the true end")
    assert buffer.warning == (
        "The output was too long: an unknown number of bytes behind its first 10 are not kept; its end is."
    )
    _store_rest(database, run_id, buffer)
    with database.transaction() as session:
        assert OutputRepository(session).cuts(run_id) == [(10, 11)]
    assert _read(database, run_id, 10) == (11, b"the true end")


def test_what_was_taken_is_counted_whether_it_is_kept_or_not(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id, limit=TAIL_BYTES + 10)
    for _ in range(4):
        buffer.add(b"x" * TAIL_BYTES)
        buffer.flush()
    assert buffer.taken == 4 * TAIL_BYTES


def test_each_attempt_may_have_a_cut_of_its_own(database: Database, run_id: int) -> None:
    pieces = {0: b"0123", 10: b"end of 1", 18: b"short", 23: b"x", 30: b"end of 3", 40: b"end of 4"}
    with database.transaction() as session:
        for start, data in pieces.items():
            assert OutputRepository(session).append(run_id, start, data, epoch=7)
        for number, first_byte in ((1, 0), (2, 18), (3, 23)):
            session.add(
                RunAttempt(
                    run_id=run_id, number=number, first_byte=first_byte, ended_at=utc_now(), cause="lost", message=""
                )
            )
        RunRepository(session).set(run_id, output_base=38)
    with database.transaction() as session:
        assert OutputRepository(session).cuts(run_id) == [(4, 10), (24, 30), (38, 40)]


def test_an_output_of_which_only_the_end_was_kept_has_its_cut_at_the_beginning(database: Database, run_id: int) -> None:
    buffer = _buffer(database, run_id, limit=0)
    buffer.add(b"a" * TAIL_BYTES)
    buffer.add(b"b" * TAIL_BYTES)
    buffer.add(b"c")
    _store_rest(database, run_id, buffer)
    with database.transaction() as session:
        assert OutputRepository(session).cuts(run_id) == [(0, TAIL_BYTES)]


def test_200_megabytes_are_read_from_every_end(database: Database, run_id: int) -> None:
    piece_bytes, count = 2**20, 200
    # Each line of 16 bytes is the number of its piece. The database makes them, which is quicker than to send them.
    fill = text("""
        insert into run_output
        select :id, piece * 1048576, convert_to(repeat(lpad(piece::text, 15, '0') || chr(10), 65536), 'UTF8')
          from generate_series(cast(:first as int), :first + 19) piece
    """)
    for first in range(0, count, 20):
        with database.transaction() as session:
            session.execute(fill, {"id": run_id, "first": first})
    total = count * piece_bytes
    with database.transaction() as session:
        outputs = OutputRepository(session)
        assert (outputs.end(run_id), outputs.cuts(run_id)) == (total, [])
        assert outputs.tail(run_id, 3, piece_bytes) == (total - 48, b"%015d\n" % 199 * 3)
        across = 100 * piece_bytes - 20
        assert outputs.read(run_id, across, 40) == (
            across,
            (b"%015d\n" % 99 * 2)[-20:] + (b"%015d\n" % 100 * 2)[:20],
        )
        start = 0
        for number in range(count):
            first, data = outputs.read(run_id, start, piece_bytes)
            assert (first, data) == (start, b"%015d\n" % number * 65536)
            start += len(data)
        assert outputs.read(run_id, start, 32) == (total, b"")
