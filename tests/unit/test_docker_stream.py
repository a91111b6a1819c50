"""The framed stream of a container's output."""

from __future__ import annotations

import io

import pytest

from app.executors.docker_stream import payloads, skipping


def frame(content: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def test_the_content_of_both_streams_is_given_in_order() -> None:
    source = io.BytesIO(frame(b"out\n") + frame(b"err\n", 2) + frame(b"") + frame(b"\x00\xff"))
    assert list(payloads(source)) == [b"out\n", b"err\n", b"\x00\xff"]


def test_an_empty_stream_has_no_content() -> None:
    assert list(payloads(io.BytesIO())) == []


@pytest.mark.parametrize("cut", [1, 7, 8, 11])
def test_a_stream_that_stops_inside_a_frame_is_an_error(cut: int) -> None:
    with pytest.raises(EOFError):
        list(payloads(io.BytesIO(frame(b"whole")[:cut])))


@pytest.mark.parametrize("count", range(8))
def test_bytes_are_left_out_wherever_the_pieces_end(count: int) -> None:
    assert b"".join(skipping([b"ab", b"", b"cde", b"f"], count)) == b"abcdef"[count:]
