"""Clients that begin a request and wait, or never let go, hold up nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg2
import pytest

from tests.integration.outages.site import BOUND_SECONDS, Site

CLIENTS = 100
"""Three times the threads that the API has."""

WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALVES = {
    "nothing at all": b"",
    "half of the first line": b"GET /heal",
    "half of the headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
    "headers without a body": b"POST /api/tools HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
    "half of a body": b"POST /api/tools HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + b"{" * 500,
    "half of a body in chunks": b"POST /api/tools HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    "a body that waits to be asked for": b"POST /api/tools HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
    b"Expect: 100-continue\r\n\r\n",
    "a whole request without ever closing": WHOLE,
}


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


@pytest.mark.parametrize("half", HALVES)
def test_a_crowd_that_says_half_of_something_holds_up_nobody(site: Site, connections: ExitStack, half: str) -> None:
    for _ in range(CLIENTS):
        begin(site, connections, HALVES[half])
    answers = [site.timed("GET", path) for path in ("/healthz", "/api/runs", "/healthz")]
    print(f"{half}: " + ", ".join(f"{answer.status} after {answer.seconds:.2f} s" for answer in answers))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert max(answer.seconds for answer in answers) < BOUND_SECONDS


def test_a_request_that_comes_in_drops_is_answered(site: Site, connections: ExitStack) -> None:
    client = begin(site, connections, b"")
    for byte in WHOLE:
        client.send(bytes([byte]))
    assert read_all(client).startswith(b"HTTP/1.1 200")


def test_a_body_that_waits_to_be_asked_for_is_asked_for(site: Site, connections: ExitStack) -> None:
    client = begin(site, connections, HALVES["a body that waits to be asked for"])
    assert client.recv(1000).startswith(b"HTTP/1.1 100")
    client.sendall(b'{"a": 12}')
    assert b"HTTP/1.1 4" in read_all(client)


@pytest.fixture(scope="module")
def last_words(site: Site) -> dict[str, bytes]:
    """What those are told who begin a request and never finish it; they all wait at the same time."""
    head = b"POST /api/tools HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-Api-Token: %s\r\n"
    beginnings = {
        "headers": HALVES["half of the headers"],
        "large body": head % site.token.encode() + b"Content-Length: 200000\r\n\r\n" + b" " * 100_000,
    }
    with ExitStack() as held:
        clients = {name: begin(site, held, beginning) for name, beginning in beginnings.items()}
        return {name: read_all(client) for name, client in clients.items()}


def test_who_never_finishes_is_told_and_let_go(last_words: dict[str, bytes]) -> None:
    assert last_words["headers"].startswith(b"HTTP/1.1 408")


def test_a_large_body_that_stops_is_refused_and_holds_no_thread(last_words: dict[str, bytes]) -> None:
    assert last_words["large body"].startswith(b"HTTP/1.1 400")


@pytest.mark.long
def test_who_reads_nothing_of_a_long_answer_loses_it_and_frees_the_thread(site: Site, connections: ExitStack) -> None:
    store_a_long_output(site, run_id=1)
    ask = f"GET /api/runs/1/output.txt HTTP/1.1\r\nHost: h\r\nX-Api-Token: {site.token}\r\n\r\n".encode()
    for _ in range(site.settings.api.workers * site.settings.api.threads):
        begin(site, connections, ask)
    answer = site.timed("GET", "/healthz")
    print(f"a crowd that does not read: {answer.status} after {answer.seconds:.1f} s")
    assert answer.status == 200


def store_a_long_output(site: Site, run_id: int) -> None:
    """Store 16 MiB, which is more than the kernel buffers for a client that reads nothing."""
    statement = (
        "insert into run_output (run_id, start_byte, data) "
        "select %s, number << 20, convert_to(repeat('x', 1 << 20), 'UTF8') from generate_series(0, 15) number"
    )
    connection = psycopg2.connect(site.settings.database_url.replace("+psycopg2", ""))
    with closing(connection), connection, connection.cursor() as cursor:
        cursor.execute(statement, (run_id,))


def begin(site: Site, connections: ExitStack, beginning: bytes) -> socket.socket:
    client = socket.socket()
    connections.callback(client.close)
    # What the kernel would take in for a client that never reads is kept small.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", site.settings.api.port))
    client.sendall(beginning)
    return client


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))
