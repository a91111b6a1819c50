"""One table, one handler: what a caller sees of an error."""

from __future__ import annotations

import inspect
import logging
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import errors
from app.api.errors import status_of
from app.api.security import public

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.MaoError) and kind is not errors.MaoError
]
EXPECTED = {
    "NotFound": 404,
    "Gone": 410,
    "AlreadyExists": 409,
    "WrongState": 409,
    "Locked": 409,
    "Conflict": 409,
    "StaleRevision": 412,
    "RevisionRequired": 428,
    "Invalid": 422,
    "Unauthenticated": 401,
    "TooManyRequests": 429,
    "Forbidden": 403,
    "Unavailable": 503,
    "DatabaseDown": 503,
    "RegistryDown": 503,
    "DockerDown": 503,
    "RemoteDown": 503,
    "Busy": 503,
    "StillWorking": 202,
    "StorageFull": 503,
    "Superseded": 503,
    "BackendFailed": 502,
}


def broken_by(app: Flask, error: Exception) -> FlaskClient:
    def view() -> None:
        raise error

    app.add_url_rule("/broken", view_func=public(view), methods=["GET", "POST"])
    return app.test_client()


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_of_ours_has_its_status(kind: type[errors.MaoError]) -> None:
    assert status_of(kind("x")) == EXPECTED[kind.__name__]


def test_an_error_shows_message_and_hint(owner: FlaskClient) -> None:
    assert owner.get("/api/tools/spke").get_json() == {
        "code": 404,
        "status": "Not Found",
        "message": "There is no entry 'spke'.",
        "hint": "Did you mean 'spike'?",
    }


def test_broken_rules_are_named_by_place_and_field(fresh_app: Flask) -> None:
    client = broken_by(fresh_app, errors.Invalid("No.", fields={"image": ["Must be an image."]}))
    payload = client.post("/broken").get_json()
    assert payload["errors"] == {"json": {"image": ["Must be an image."]}}
    assert payload["message"] == "No. image: Must be an image."
    assert client.get("/broken").get_json()["errors"] == {"query": {"image": ["Must be an image."]}}


def test_what_is_down_is_named_with_a_time_to_come_back(fresh_app: Flask) -> None:
    answer = broken_by(fresh_app, errors.RegistryDown("No answer from 127.0.0.1:2379.")).get("/broken")
    assert answer.get_json()["message"].startswith("etcd: ")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_bug_is_a_500_that_tells_nothing_and_logs_everything(
    fresh_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    client = broken_by(fresh_app, RuntimeError("password=hunter2"))
    with caplog.at_level(logging.ERROR):
        answer = client.get("/broken", headers={"X-Request-Id": "abc-1"})
    assert answer.status_code == 500
    assert "hunter2" not in answer.get_data(as_text=True)
    assert "abc-1" in answer.get_json()["hint"]
    assert "hunter2" in caplog.text


def test_an_error_without_a_row_in_the_table_is_a_500(fresh_app: Flask) -> None:
    assert broken_by(fresh_app, errors.MaoError("new kind")).get("/broken").status_code == 500


def test_a_wrong_method_names_the_right_ones(owner: FlaskClient) -> None:
    answer = owner.patch("/api/tools")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    assert answer.get_json()["code"] == 405


@pytest.mark.parametrize("sent", ["abc-1", "x" * 65, "two words", ""])
def test_every_answer_has_a_request_id_that_is_safe_to_log(owner: FlaskClient, sent: str) -> None:
    given = owner.get("/nowhere", headers={"X-Request-Id": sent}).headers["X-Request-Id"]
    assert (given == sent) == (sent == "abc-1")
    assert 0 < len(given) <= 64


def test_the_hash_of_a_token_is_in_no_answer(owner: FlaskClient, services: SimpleNamespace) -> None:
    calls = [
        owner.get("/api/security/whoami"),
        owner.get("/api/security/tokens/root"),
        owner.post("/api/security/tokens/root", json={"permissions": []}),
    ]
    assert all("hash-that-stays-here" not in answer.get_data(as_text=True) for answer in calls)
