"""Requests that break plain applications: each is refused with an answer that says why, and none is a 500."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from app.api import bodies
from app.errors import MaoError

ENTRY = '"author": "a", "image": "i", "data_repo": "", "code_repo": "", "artefact": ""'
JSON = {"Content-Type": "application/json"}


def body(name: str = '"x"', rest: str = "") -> bytes:
    return f'{{"name": {name}, {ENTRY}{rest}}}'.encode()


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nul": (body('"a\\u0000b"'), 422, "NUL"),
    "nul in a key": (body(rest=', "metrics": {"a\\u0000": 1}'), 422, "NUL"),
    "nul deep down": (body(rest=', "metrics": {"a": [{"b": "\\u0000"}]}'), 422, "metrics.a.0.b"),
    "half a surrogate pair": (body('"\\ud800"'), 422, "surrogate"),
    "not a number": (body(rest=', "cpus": NaN'), 400, "NaN"),
    "infinity": (body(rest=', "cpus": -Infinity'), 400, "Infinity"),
    "a float beyond doubles": (body(rest=', "cpus": 1e400'), 400, "too large"),
    "an integer beyond 64 bits": (body(rest=', "pids": 9223372036854775808'), 400, "64 bits"),
    "an integer of 5000 digits": (body(rest=f', "pids": {"9" * 5000}'), 400, "64 bits"),
    "a doubled key": (body(rest=', "name": "y"'), 400, "twice"),
    "nested lists": (b"[" * 100_000, 400, "nested"),
    "nested objects": (b'{"a":' * 100_000, 400, "nested"),
    "nested inside metrics": (body(rest=f', "metrics": {{"a": {"[" * 40}{"]" * 40}}}'), 400, "nested"),
    "many brackets": (b"[]," * 100_000, 400, "not valid JSON"),
    "a string without end": (b'"' + b'\\"' * 100_000, 400, "not valid JSON"),
    "not JSON": (b"{", 400, "not valid JSON"),
    "not UTF-8": (b'{"name": "\xff"}', 400, "UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "not valid JSON"),
    "a list": (b"[1]", 422, "Invalid input type"),
    "null": (b"null", 422, "Invalid input type"),
    "text": (b'"x"', 422, "Invalid input type"),
    "an unknown field": (body(rest=', "owner": "me"'), 422, "owner: Unknown field"),
    "text for a number": (body(rest=', "pids": "12"'), 422, "pids"),
    "a number for text": (body("1"), 422, "name"),
    "true for a number": (body(rest=', "pids": true'), 422, "pids"),
    "a fraction for a whole number": (body(rest=', "pids": 1.5'), 422, "pids"),
    "nothing": (b"", 422, "name: Missing data"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_hostile_body_is_refused_by_name(owner: FlaskClient, services: SimpleNamespace, case: str) -> None:
    data, status, words = BODIES[case]
    answer = owner.post("/api/tools", data=data, headers=JSON)
    assert (answer.status_code, words in answer.get_json()["message"]) == (status, True), answer.get_json()
    assert services.tools.calls == []


@pytest.mark.parametrize(
    "address",
    [
        "/api/tools?limit=0",
        "/api/tools?limit=501",
        "/api/tools?limit=-1",
        "/api/tools?limit=99999999999999999999",
        "/api/tools?limit=%D9%A3",
        "/api/tools?limit=1.5",
        "/api/tools?limit=" + "9" * 5000,
        "/api/tools?limit=1&limit=2",
        "/api/tools?offset=1",
        "/api/tools?cursor=%00",
        "/api/tools?cursor=AA",
        "/api/tools?cursor=_w",
        "/api/tools?cursor=!!!",
        "/api/runs?cursor=YQ",
        "/api/runs?tool=a%00b",
        "/api/jobs/x/firings?cursor=YQ",
        "/api/jobs/x/firings?cursor=MjAyNC0wMS0wMQ",
        "/api/tools/spike?verbose=1",
        "/api/runs/1/wait?timeout=61",
        "/api/runs/1/output.txt?offset=1&tail=1",
        "/api/runs/1/output.txt?offset=-1",
        "/healthz?x=1",
    ],
)
def test_a_hostile_query_is_refused(owner: FlaskClient, address: str) -> None:
    answer = owner.get(address)
    assert answer.status_code == 422, answer.get_json()
    assert answer.get_json()["errors"]["query"]


@pytest.mark.parametrize(
    "address",
    [
        "/api/runs/0",
        "/api/runs/-1",
        "/api/runs/1.5",
        "/api/runs/" + "9" * 19,
        "/api/runs/" + "9" * 5000,
        "/api/runs/%D9%A3",
        "/api/tools/a%00b",
        "/api/tools/%ff",
        "/api/tools/..%2f..%2fetc",
        "/api/tools/../../etc/passwd",
        "/api/docs/..%2f__init__.py",
        "/api/docs/index.html",
        "/nowhere",
    ],
)
def test_an_address_of_nothing_is_not_found(owner: FlaskClient, address: str) -> None:
    answer = owner.get(address)
    assert (answer.status_code, answer.get_json()["code"]) == (404, 404)


def test_a_body_beyond_the_limit_is_too_large(owner: FlaskClient) -> None:
    answer = owner.post("/api/tools", data=b'"' + b"x" * 2**20 + b'"', headers=JSON)
    assert answer.status_code == 413
    assert "1048576" in answer.get_json()["message"]


def test_a_body_in_chunks_is_measured_too(owner: FlaskClient) -> None:
    padded = io.BytesIO(body() + b" " * 2**20)
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = owner.post("/api/tools", input_stream=padded, content_type="application/json", environ_overrides=chunked)
    assert answer.status_code == 413
    assert "more than" in answer.get_json()["message"]


class Broken(io.BytesIO):
    """The server's error about a chunk that is none."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise LookupError("no chunk")


def test_a_body_that_breaks_off_is_the_clients_fault(owner: FlaskClient) -> None:
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = owner.post("/api/tools", input_stream=Broken(), content_type="application/json", environ_overrides=chunked)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_a_body_that_is_not_announced_as_json_is_refused(owner: FlaskClient, media_type: str) -> None:
    assert owner.post("/api/tools", data=body(), headers={"Content-Type": media_type}).status_code == 415


def test_the_largest_and_the_smallest_integer_of_64_bits_are_read() -> None:
    assert bodies.parse(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_brackets_inside_strings_are_not_depth() -> None:
    assert bodies.parse(b'["' + b"[" * 1000 + b'\\"[[["]') == ["[" * 1000 + '"[[[']


def test_the_deepest_document_that_is_allowed_is_read() -> None:
    document = bodies.parse(b"[" * bodies.DEPTH + b"]" * bodies.DEPTH)
    assert json.dumps(document) == "[" * bodies.DEPTH + "]" * bodies.DEPTH


@given(
    st.one_of(
        st.binary(max_size=200), st.text(alphabet='[]{}":,\\ue0123456789.-+ntrfals\0 ', max_size=100).map(str.encode)
    )
)
def test_whatever_is_sent_is_read_or_refused_in_words(data: bytes) -> None:
    try:
        document = bodies.parse(data)
    except (MaoError, HTTPException) as error:
        assert getattr(error, "message", None) or getattr(error, "data", None)
    else:
        assert json.loads(json.dumps(document, allow_nan=False)) == document
