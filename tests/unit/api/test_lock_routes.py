"""Locks over HTTP."""

from __future__ import annotations

from types import SimpleNamespace

from flask.testing import FlaskClient


def test_locks_are_read_page_by_page_also_those_of_nobody_known(reader: FlaskClient) -> None:
    first = reader.get("/api/locks?limit=1").get_json()
    second = reader.get(f"/api/locks?limit=1&cursor={first['next']}").get_json()
    assert first["items"] == [
        {"key": "archive", "runId": 7, "node": "node-a", "since": "2024-02-29T12:00:00+00:00", "token": 41}
    ]
    assert second == {
        "items": [{"key": "odd", "runId": None, "node": None, "since": None, "token": 42}],
        "next": None,
    }


def test_a_lock_is_broken_by_who_may(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.delete("/api/locks/archive").status_code == 204
    ((method, (who, key), _),) = services.locks.calls
    assert (method, who.identifier, key) == ("break_lock", "root", "archive")


def test_a_lock_that_nobody_holds_cannot_be_broken(owner: FlaskClient) -> None:
    assert owner.delete("/api/locks/free").status_code == 404
