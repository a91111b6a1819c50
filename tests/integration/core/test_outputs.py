"""Output is stored by byte number: no hole, no repeat, and the cut of a huge one is told."""

from __future__ import annotations

import pytest

from app.errors import AlreadyExists, WrongState
from app.repositories.database import Database
from app.repositories.outputs import OutputRepository
from app.repositories.run_queue import Capacity, RunQueue
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
        assert not OutputRepository(session).has_cut(run_id)


def test_a_huge_output_keeps_head_and_tail_and_counts_what_is_cut(database: Database, run_id: int) -> None:
    limit = 3 * 2**20
    lines = b"".join(b"line %07d\n" % number for number in range(600_000))
    buffer = _buffer(database, run_id, limit=limit)
    for start in range(0, len(lines), 65_536):
        buffer.add(lines[start : start + 65_536])
    _store_rest(database, run_id, buffer)
    head = limit - TAIL_BYTES
    first, data = _read(database, run_id)
    assert (first, data) == (0, lines[:head])
    first, data = _read(database, run_id, head)
    assert data == lines[first:]
    assert first - head == buffer.cut_bytes > 0
    assert len(data) >= TAIL_BYTES
    with database.transaction() as session:
        assert OutputRepository(session).has_cut(run_id)


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
