"""A run's output over HTTP: every byte once, in whatever way it is asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from app.api.output import PIECE_BYTES

OUTPUT = "/api/runs/1/output.txt"
TEXT = b"".join(b"line %d\n" % number for number in range(10))


@pytest.mark.parametrize(
    ("query", "data", "following"),
    [
        ("", TEXT, 70),
        ("?offset=0", TEXT, 70),
        ("?offset=63", TEXT[63:], 70),
        ("?offset=70", b"", 70),
        ("?offset=7&limit=7", TEXT[7:14], 14),
        ("?limit=100", TEXT, 70),
        ("?tail=2", TEXT[56:], 70),
        ("?tail=2&limit=3", TEXT[67:], 70),
        ("?tail=500", TEXT, 70),
    ],
)
def test_output_is_read_by_byte_or_by_line(owner: FlaskClient, query: str, data: bytes, following: int) -> None:
    answer = owner.get(OUTPUT + query)
    assert (answer.status_code, answer.data, answer.headers["X-Next-Offset"]) == (200, data, str(following))
    assert answer.content_length == len(data)


@pytest.mark.parametrize(
    ("asked", "data", "place"),
    [
        ("bytes=0-6", TEXT[:7], "bytes 0-6/70"),
        ("bytes=63-", TEXT[63:], "bytes 63-69/70"),
        ("bytes=-7", TEXT[63:], "bytes 63-69/70"),
        ("bytes=-700", TEXT, "bytes 0-69/70"),
        ("bytes=63-900", TEXT[63:], "bytes 63-69/70"),
    ],
)
def test_a_range_is_answered_with_its_place(owner: FlaskClient, asked: str, data: bytes, place: str) -> None:
    answer = owner.get(OUTPUT, headers={"Range": asked})
    assert (answer.status_code, answer.data, answer.headers["Content-Range"]) == (206, data, place)


def test_a_range_behind_the_end_tells_the_length(owner: FlaskClient) -> None:
    answer = owner.get(OUTPUT, headers={"Range": "bytes=70-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */70")


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "lines=1-2", "nonsense"])
def test_a_range_that_is_not_served_gives_the_whole(owner: FlaskClient, asked: str) -> None:
    answer = owner.get(OUTPUT, headers={"Range": asked})
    assert (answer.status_code, answer.data) == (200, TEXT)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1-"}])
def test_a_large_output_is_read_in_pieces_and_arrives_whole(
    owner: FlaskClient, services: SimpleNamespace, headers: dict[str, str]
) -> None:
    services.outputs.text = bytes(range(256)) * (2 * PIECE_BYTES // 256) + b"end"
    answer = owner.get(OUTPUT, headers=headers)
    assert answer.data == services.outputs.text[1 if headers else 0 :]
    assert max(arguments[3] for _, arguments, _ in services.outputs.calls) == PIECE_BYTES


def test_output_of_a_run_that_goes_on_ends_where_its_length_said(owner: FlaskClient, services: SimpleNamespace) -> None:
    read = services.outputs.read
    services.outputs.text = b"x" * (PIECE_BYTES + 10)

    def grow(*arguments: object) -> object:
        page = read(*arguments)
        services.outputs.text += b"y" * 10
        return page

    services.outputs.read = grow
    answer = owner.get(OUTPUT)
    assert len(answer.data) == answer.content_length == int(answer.headers["X-Next-Offset"]) == PIECE_BYTES + 10


@pytest.mark.parametrize(
    ("query", "data", "following"),
    [
        ("", TEXT[:14] + TEXT[35:], 70),
        ("?offset=7&limit=7", TEXT[7:14], 35),
        ("?offset=7&limit=20", TEXT[7:14], 35),
        ("?offset=7&limit=35", TEXT[7:14] + TEXT[35:42], 42),
        ("?offset=14&limit=7", TEXT[35:42], 42),
        ("?offset=20", TEXT[35:], 70),
        ("?tail=1", TEXT[63:], 70),
    ],
)
def test_an_answer_leaves_out_what_was_not_kept_and_says_which_bytes(
    owner: FlaskClient, services: SimpleNamespace, query: str, data: bytes, following: int
) -> None:
    services.outputs.cut = (14, 35)
    answer = owner.get(OUTPUT + query)
    assert (answer.status_code, answer.data, answer.headers["X-Next-Offset"]) == (200, data, str(following))
    assert answer.headers["X-Cut"] == "14-34"


def test_an_output_with_a_cut_has_no_ranges(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.outputs.cut = (14, 35)
    answer = owner.get(OUTPUT, headers={"Range": "bytes=0-6"})
    assert (answer.status_code, answer.data) == (200, TEXT[:14] + TEXT[35:])


def test_a_whole_output_says_nothing_of_a_cut(owner: FlaskClient) -> None:
    assert "X-Cut" not in owner.get(OUTPUT).headers


def test_an_output_whose_time_was_over_is_gone(owner: FlaskClient) -> None:
    answer = owner.get("/api/runs/3/output.txt")
    assert answer.status_code == 410
    assert "was removed on 2024-02-29" in answer.json["message"]


def test_a_browser_must_take_output_for_text(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.outputs.text = b"<script>alert(1)</script>"
    headers = owner.get(OUTPUT).headers
    assert headers["Content-Type"] == "text/plain"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in headers["Content-Security-Policy"]
