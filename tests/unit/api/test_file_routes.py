"""Files and webhooks over HTTP: bodies of any size, in pieces; answers that no browser runs."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.errors import StorageFull, WrongState

from .samples import CONTENT

FILE = "/api/runs/1/files/a.csv"
WEBHOOK = "/api/webhooks/runs/1-0f"
BINARY = "application/octet-stream"
CHUNKED: dict[str, Any] = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
LIMIT = 300_000


@pytest.fixture(autouse=True)
def _small_limit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "FILE_BYTES", LIMIT)


def upload(client: FlaskClient, data: bytes, content_type: str = BINARY) -> Any:
    return client.post(FILE, data=data, content_type=content_type)


def upload_in_chunks(client: FlaskClient, data: bytes) -> Any:
    return client.post(FILE, input_stream=io.BytesIO(data), content_type=BINARY, environ_overrides=CHUNKED)


def test_a_file_arrives_in_pieces_and_is_described(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = upload(owner, b"x" * 200_000)
    (_, (who, run_id, file_id, sizes), _) = services.files.calls[0]
    assert (answer.status_code, answer.headers["Location"]) == (201, FILE)
    assert (who.identifier, run_id, file_id) == ("root", 1, "a.csv")
    assert (sum(sizes), max(sizes)) == (200_000, 64 * 2**10)
    assert answer.get_json() == {
        "fileId": "a.csv",
        "runId": 1,
        "sizeBytes": 200_000,
        "sha256": "0f" * 32,
        "uploadedBy": "root",
        "uploadedTime": "2024-02-29T12:00:00+00:00",
    }


@pytest.mark.parametrize("send", [upload, upload_in_chunks])
@pytest.mark.parametrize(("size", "status"), [(0, 201), (LIMIT, 201), (LIMIT + 1, 413), (10 * LIMIT, 413)])
def test_a_file_may_have_as_many_bytes_as_its_own_limit_says(
    owner: FlaskClient, services: SimpleNamespace, send: Any, size: int, status: int
) -> None:
    answer = send(owner, b"x" * size)
    assert answer.status_code == status, answer.get_json()
    if status == 413:
        assert str(LIMIT) in answer.get_json()["message"]
        assert services.files.calls == []


def test_a_body_that_ends_too_soon_is_no_file(owner: FlaskClient, services: SimpleNamespace) -> None:
    cut: dict[str, Any] = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "1000"}
    answer = owner.post(FILE, input_stream=io.BytesIO(b"x" * 999), content_type=BINARY, environ_overrides=cut)
    assert (answer.status_code, services.files.calls) == (400, [])
    assert "999 of 1000" in answer.get_json()["message"]


def test_the_limit_of_other_bodies_stays_what_it_was(owner: FlaskClient) -> None:
    answer = owner.post("/api/tools", data=b"x" * (2**20 + 1), content_type="application/json")
    assert answer.status_code == 413
    assert "1048576" in answer.get_json()["message"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_a_file_must_be_announced_as_one(owner: FlaskClient, services: SimpleNamespace, content_type: str) -> None:
    assert upload(owner, b"{}", content_type).status_code == 415
    assert services.files.calls == []


def test_who_is_refused_gets_the_answer_though_the_body_is_long(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.files.error = WrongState("Run 1 is RUNNING.")
    body = io.BytesIO(b"x" * 250_000)
    answer = owner.post(FILE, input_stream=body, content_type=BINARY, environ_overrides=CHUNKED)
    assert (answer.status_code, answer.get_json()["message"]) == (409, "Run 1 is RUNNING.")
    assert body.read() == b""


def test_a_full_disk_is_said_to_be_one(owner: FlaskClient, services: SimpleNamespace) -> None:
    services.files.error = StorageFull("The disk of the uploaded files is full; nothing was stored.")
    answer = upload(owner, b"x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "disk" in answer.get_json()["message"]


def test_the_files_of_a_run_are_listed(owner: FlaskClient) -> None:
    answer = owner.get("/api/runs/1/files").get_json()
    assert ([item["fileId"] for item in answer["items"]], answer["next"]) == (["a.csv", "b.csv"], None)


@pytest.mark.parametrize("address", [FILE, f"{WEBHOOK}/files/a.csv"])
def test_a_browser_must_not_run_what_somebody_uploaded(owner: FlaskClient, address: str) -> None:
    answer = owner.get(address)
    assert (answer.status_code, answer.data) == (200, CONTENT.read_bytes())
    assert answer.headers["Content-Type"] == BINARY
    assert answer.headers["Content-Disposition"] == "attachment; filename=a.csv"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["ETag"] == f'"{"0f" * 32}"'


def test_a_backend_says_what_it_knows(owner: FlaskClient, services: SimpleNamespace) -> None:
    word = {"status": "SUCCEEDED", "identificationKeys": {"buildNumber": "17"}, "message": "Built."}
    answer = owner.post(WEBHOOK, json=word)
    known = {"runId": 1, "status": "RUNNING", "identificationKeys": {"buildNumber": "17"}}
    assert (answer.status_code, answer.get_json()) == (200, known)
    (_, arguments, options) = services.webhooks.calls[0]
    assert arguments[1] == "1-0f"
    assert options == {"status": "SUCCEEDED", "identification_keys": {"buildNumber": "17"}, "message": "Built."}


@pytest.mark.parametrize(
    "word",
    [
        {"identificationKeys": {"a": 1}},
        {"identificationKeys": ["a"]},
        {"identificationKeys": {"": "x"}},
        {"identificationKeys": {"a": "two\nlines"}},
        {"identificationKeys": {str(number): "x" for number in range(51)}},
        {"message": "a\u0007"},
        {"state": "SUCCEEDED"},
    ],
)
def test_what_breaks_a_rule_reaches_no_run(owner: FlaskClient, services: SimpleNamespace, word: Any) -> None:
    assert owner.post(WEBHOOK, json=word).status_code == 422
    assert services.webhooks.calls == []


def test_the_log_of_changes_does_not_tell_the_id(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.post(WEBHOOK, json={"status": "SUCCEEDED"})
    told = repr(services.audit.calls)
    assert ("/api/webhooks/runs/1-***" in told, "1-0f" in told) == (True, False)
