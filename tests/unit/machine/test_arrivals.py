"""When enough of a request is there for a thread."""

from __future__ import annotations

import pytest

from app.machine.arrivals import READ_AHEAD_BYTES, Arrival

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        GET,
        POST + b"{  }",
        CHUNKED + b"4\r\n{  }\r\n0\r\n\r\n",
        CHUNKED + b"4\r\n{  }\r\n0\r\nTrailer: x\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-LENGTH:4\r\nHost: h\r\n\r\nabcd",
    ],
)
def test_a_request_is_enough_with_its_last_byte_however_it_is_cut(request_bytes: bytes) -> None:
    for cut in range(1, len(request_bytes)):
        arrival = Arrival(0.0)
        assert arrival.add(request_bytes[:cut]) is False, request_bytes[:cut]
        assert arrival.add(request_bytes[cut:]) is True
    slow = Arrival(0.0)
    assert [slow.add(bytes([byte])) for byte in request_bytes] == [False] * (len(request_bytes) - 1) + [True]
    assert slow.data == request_bytes


def test_a_length_that_is_none_is_left_to_the_reader_of_headers() -> None:
    assert Arrival(0.0).add(b"POST / HTTP/1.1\r\nContent-Length: -4\r\n\r\n")


def test_of_a_large_body_the_beginning_is_enough() -> None:
    arrival = Arrival(0.0)
    assert not arrival.add(b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")
    assert not arrival.add(b"x" * (READ_AHEAD_BYTES - 100))
    assert arrival.add(b"x" * 100)


def test_a_head_without_an_end_is_enough_some_day() -> None:
    assert Arrival(0.0).add(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * READ_AHEAD_BYTES)


def test_a_client_that_waits_to_be_asked_is_recognised() -> None:
    arrival = Arrival(0.0)
    arrival.add(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n"))
    assert arrival.is_expecting
