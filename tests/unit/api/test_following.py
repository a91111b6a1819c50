"""Output as server-sent events: every byte once, readable, and resumed where it was cut off."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.models.run import RunStatus
from app.services.outputs import Cut, End, Piece

FOLLOW = "/api/runs/1/output.txt?follow=true"
END = End(RunStatus.SUCCEEDED, "ok", 100)


def _blocks(body: bytes) -> list[dict[str, str]]:
    """Read the stream as a browser does: blocks of fields, of which comments are left out."""
    blocks = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            blocks.append(fields)
    return blocks


def _told(body: bytes) -> list[tuple[str, int, dict[str, Any]]]:
    """Give each event as its name, its id and what it tells."""
    events = [block for block in _blocks(body) if "data" in block]
    return [(event.get("event", "message"), int(event["id"]), json.loads(event["data"])) for event in events]


def _bytes_of(told: dict[str, Any]) -> bytes:
    return base64.b64decode(told["base64"]) if "base64" in told else str(told["text"]).encode()


def _followed(owner: FlaskClient, services: SimpleNamespace, *steps: Any) -> list[tuple[str, int, dict[str, Any]]]:
    services.outputs.steps = [*steps, END]
    answer = owner.get(FOLLOW)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    return _told(answer.data)


def test_pieces_are_events_with_the_next_byte_as_their_id(owner: FlaskClient, services: SimpleNamespace) -> None:
    events = _followed(owner, services, Piece(0, b"one\n"), None, Piece(4, b"two\nthree\n"))
    assert events == [
        ("message", 4, {"offset": 0, "text": "one\n"}),
        ("message", 14, {"offset": 4, "text": "two\nthree\n"}),
        ("end", 100, {"status": "SUCCEEDED", "cause": "ok", "offset": 100}),
    ]


def test_a_silent_stream_sends_comments(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.outputs.steps = [None, None, END]
    assert owner.get(FOLLOW).data.count(b"\n\n: ") == 2


def test_bytes_that_were_not_kept_are_told(owner: FlaskClient, services: SimpleNamespace) -> None:
    events = _followed(owner, services, Piece(0, b"head"), Cut(4, 90), Piece(90, b"tail"))
    assert events[1] == ("cut", 90, {"first": 4, "last": 89})
    assert events[2] == ("message", 94, {"offset": 90, "text": "tail"})


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    "output",
    [
        "Grüße, 你好, 🎉\n".encode() * 3,
        bytes(range(256)),
        b"\xff\xfe\x00 a \xc3",
        b"data: x\n\nevent: end\r\rid: 7\n",
        "\ufffd real".encode(),
    ],
)
def test_every_byte_arrives_once_however_it_was_cut_into_pieces(
    owner: FlaskClient, services: SimpleNamespace, output: bytes, size: int
) -> None:
    pieces = [Piece(start, output[start : start + size]) for start in range(0, len(output), size)]
    *events, end = _followed(owner, services, *pieces)
    assert end[0] == "end"
    position = 0
    for name, next_byte, told in events:
        data = _bytes_of(told)
        assert (name, told["offset"], next_byte) == ("message", position, position + len(data))
        assert data == output[position : position + len(data)]
        position += len(data)
    assert position == len(output)


def test_text_is_never_cut_inside_a_character(owner: FlaskClient, services: SimpleNamespace) -> None:
    output = "你".encode() * 100_000
    events = _followed(owner, services, Piece(0, output[:150_001]), Piece(150_001, output[150_001:]))
    assert all("base64" not in told for _, _, told in events)
    assert "".join(told["text"] for name, _, told in events if name == "message").encode() == output


def test_bytes_that_are_no_text_can_be_read_all_the_same(owner: FlaskClient, services: SimpleNamespace) -> None:
    (_, _, told), _ = _followed(owner, services, Piece(0, b"caf\xe9 open\n"))
    assert told == {"offset": 0, "text": "caf\ufffd open\n", "base64": base64.b64encode(b"caf\xe9 open\n").decode()}


@pytest.mark.parametrize(
    ("query", "header", "begins"),
    [("", None, 0), ("&offset=7", None, 7), ("&tail=1", None, 63), ("&offset=7", "42", 42), ("&tail=1", "0", 0)],
)
def test_a_stream_goes_on_where_it_was_cut_off(
    owner: FlaskClient, services: SimpleNamespace, query: str, header: str | None, begins: int
) -> None:
    headers = {"Last-Event-ID": header} if header is not None else {}
    assert owner.get(FOLLOW + query, headers=headers).status_code == 200
    assert services.outputs.calls[-1][1][2] == begins


@pytest.mark.parametrize("header", ["-1", "x", "1.5", "9" * 30, "٣"])
def test_an_id_that_is_none_of_ours_is_refused(owner: FlaskClient, header: str) -> None:
    answer = owner.get(FOLLOW, headers={"Last-Event-ID": header.encode("utf-8").decode("latin-1")})
    assert answer.status_code == 422
    assert "Last-Event-ID" in answer.json["message"]


def test_what_is_followed_has_no_limit(owner: FlaskClient) -> None:
    assert owner.get(FOLLOW + "&limit=5").status_code == 422


def test_where_no_more_can_be_followed_the_client_is_told_to_wait(owner: FlaskClient) -> None:
    answer = owner.get("/api/runs/2/output.txt?follow=true")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_client_that_goes_away_gives_its_place_back(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.outputs.steps = [Piece(0, b"one\n"), END]
    answer = owner.get(FOLLOW, buffered=False)
    assert not services.outputs.is_closed
    answer.close()
    assert services.outputs.is_closed


def test_a_question_for_the_headers_alone_gives_its_place_back(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.head(FOLLOW)
    assert (answer.status_code, answer.data) == (200, b"")
    answer.close()
    assert services.outputs.is_closed


def test_no_proxy_may_keep_or_buffer_what_comes(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.outputs.steps = [END]
    headers = owner.get(FOLLOW).headers
    assert (headers["X-Accel-Buffering"], headers["Cache-Control"]) == ("no", "no-store")
