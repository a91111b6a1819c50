"""A PostgreSQL that takes everything and answers nothing holds nobody for ever."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from app.errors import DatabaseDown, Unauthenticated
from app.repositories.database import Database
from app.repositories.deadlines import ASK_SECONDS, GRACE_SECONDS
from app.repositories.listener import Channel
from tests.integration.conftest import PostgresAddress
from tests.integration.tcp_proxy import TcpProxy

STATEMENT_SECONDS = 1.0
LIMIT_SECONDS = STATEMENT_SECONDS + GRACE_SECONDS
SLACK_SECONDS = 2.0
"""What a busy machine may add. The bound itself is the promise that is tested here."""


@pytest.fixture
def proxy(postgres_server: PostgresAddress) -> Iterator[TcpProxy]:
    made = TcpProxy(postgres_server.address)
    yield made
    made.close()


@pytest.fixture
def url(database_url: str, postgres_server: PostgresAddress, proxy: TcpProxy) -> str:
    """The database, behind the proxy."""
    return database_url.replace(postgres_server.address, proxy.address)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url, statement_timeout_seconds=STATEMENT_SECONDS)
    yield made
    made.close()


def seconds_until_down(work: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(DatabaseDown):
        work()
    return time.monotonic() - began


def back(database: Database) -> str:
    """Ask until the database is found again, which must be soon after it is back."""
    deadline = time.monotonic() + 3 * ASK_SECONDS
    while True:
        try:
            return database.ping()
        except DatabaseDown:
            assert time.monotonic() < deadline, "The database was not found again."
            time.sleep(0.1)


def test_a_statement_without_an_answer_ends_and_the_next_ones_work_again(database: Database, proxy: TcpProxy) -> None:
    def work() -> None:
        with database.transaction() as session:
            session.execute(text("select 1"))
            proxy.swallow()
            session.execute(text("select 1"))

    assert seconds_until_down(work) < LIMIT_SECONDS + SLACK_SECONDS
    proxy.mend()
    assert back(database)


def test_a_commit_without_an_answer_ends(database: Database, proxy: TcpProxy) -> None:
    def work() -> None:
        with database.transaction() as session:
            session.execute(text("select 1"))
            proxy.swallow()

    assert seconds_until_down(work) < LIMIT_SECONDS + SLACK_SECONDS


def test_a_connection_that_is_not_made_ends(database: Database, proxy: TcpProxy) -> None:
    proxy.swallow()
    assert seconds_until_down(database.ping) < ASK_SECONDS + SLACK_SECONDS


def test_kept_connections_to_a_silent_server_cost_one_wait_and_not_one_each(
    database: Database, proxy: TcpProxy
) -> None:
    with ExitStack() as open_transactions:
        for _ in range(4):
            session = open_transactions.enter_context(database.transaction())
            session.execute(text("select 1"))
    proxy.swallow()
    assert seconds_until_down(database.ping) < 2 * ASK_SECONDS + SLACK_SECONDS
    waits = [seconds_until_down(database.ping) for _ in range(100)]
    assert sum(waits) < SLACK_SECONDS
    proxy.mend()
    assert back(database)


def test_a_server_that_ends_a_long_statement_itself_is_not_given_up(database: Database) -> None:
    def work() -> None:
        with database.transaction() as session:
            session.execute(text("select pg_sleep(30)"))

    assert seconds_until_down(work) < LIMIT_SECONDS
    assert database.ping()


def test_who_finds_no_connection_left_is_told_so(database: Database) -> None:
    with ExitStack() as open_transactions:
        for _ in range(25):
            open_transactions.enter_context(database.transaction()).execute(text("select 1"))
        assert seconds_until_down(database.ping) < 3.0 + SLACK_SECONDS
    assert database.ping()


def test_a_large_answer_and_many_threads_arrive_whole(database: Database) -> None:
    def ask(number: int) -> tuple[int, int]:
        with database.transaction() as session:
            row = session.execute(text("select :n, repeat('x', 1000000)"), {"n": number}).one()
            return row[0], len(row[1])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(100))) == [(number, 1_000_000) for number in range(100)]


def test_a_child_that_was_forked_off_has_the_deadline_too(url: str, proxy: TcpProxy) -> None:
    proxy.swallow()
    child = os.fork()
    if child == 0:
        # Whatever happens, this copy of the test must not go on as one.
        try:
            seconds_until_down(Database(url, statement_timeout_seconds=STATEMENT_SECONDS).ping)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


class TestChannel:
    def test_it_hears_what_is_told(self, url: str, database: Database) -> None:
        channel = Channel(url, ["mao_trial"])
        for number in range(3):
            with database.transaction() as session:
                session.execute(text("select pg_notify('mao_trial', :n)"), {"n": str(number)})
        told: list[tuple[str, str]] = []
        while len(told) < 3:
            told += channel.wait(5)
            channel.check()
        assert told == [("mao_trial", "0"), ("mao_trial", "1"), ("mao_trial", "2")]
        channel.close()

    def test_what_is_told_between_a_wait_and_a_check_is_not_lost(self, url: str, database: Database) -> None:
        channel = Channel(url, ["mao_trial"])
        assert channel.wait(0) == []
        with database.transaction() as session:
            session.execute(text("select pg_notify('mao_trial', 'early')"))
        channel.check()
        assert channel.wait(5) == [("mao_trial", "early")]
        channel.close()

    def test_a_check_without_an_answer_ends(self, url: str, proxy: TcpProxy) -> None:
        channel = Channel(url, ["mao_trial"])
        proxy.swallow()
        assert seconds_until_down(channel.check) < ASK_SECONDS + SLACK_SECONDS

    def test_a_channel_to_a_silent_server_is_not_opened(self, url: str, proxy: TcpProxy) -> None:
        proxy.swallow()
        assert seconds_until_down(lambda: Channel(url, ["mao_trial"])) < ASK_SECONDS + SLACK_SECONDS

    def test_a_wait_is_ended_by_a_cut(self, url: str, proxy: TcpProxy) -> None:
        channel = Channel(url, ["mao_trial"])
        threading.Timer(0.2, proxy.cut).start()
        with pytest.raises(DatabaseDown):
            while True:
                channel.wait(5)


def test_who_is_refused_by_name_shows_all_the_same_that_the_server_is_back(database: Database, proxy: TcpProxy) -> None:
    def refuse() -> None:
        with database.transaction() as session:
            session.execute(text("select 1"))
            raise Unauthenticated("Nobody has this token.")

    proxy.swallow()
    seconds_until_down(database.ping)
    proxy.mend()
    deadline = time.monotonic() + 3 * ASK_SECONDS
    while time.monotonic() < deadline:
        try:
            refuse()
        except DatabaseDown:
            time.sleep(0.1)
        except Unauthenticated:
            break
    assert database.ping()
    with pytest.raises(Unauthenticated):
        refuse()
