"""Replays and verifications over HTTP."""

from __future__ import annotations

from types import SimpleNamespace

from flask.testing import FlaskClient


def test_a_run_is_repeated_under_its_key(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/runs/1/replay", headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.get_json(), answer.headers["Location"]) == (202, {"runId": 14}, "/api/runs/14")
    assert services.replays.calls[0][1][1:] == (1,)
    assert services.replays.calls[0][2] == {"key": "k"}


def test_a_replay_takes_no_parameters(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/runs/1/replay", json={"command": ["true"]}).status_code == 422
    assert services.replays.calls == []


def test_a_verification_names_what_changed(owner: FlaskClient, services: SimpleNamespace) -> None:
    by = {"commit": "", "run": "", "node": "", "isRecorded": False}
    answer = owner.get("/api/runs/1/verification?replay=2")
    assert answer.status_code == 200
    assert services.verifications.calls[0][1][1:] == (1, 2)
    assert answer.get_json() == {
        "runId": 1,
        "replayId": 2,
        "isIdentical": False,
        "summary": "a.csv changed since.",
        "written": 2,
        "changed": [{"path": "a.csv", "isMissing": False, "isUncommitted": True, **by}],
        "damaged": [],
        "tooLarge": [],
        "replayed": None,
        "changedRows": [],
        "replayedRows": [],
    }


def test_who_asks_while_the_agent_is_at_work_is_told_to_ask_again(
    owner: FlaskClient, services: SimpleNamespace
) -> None:
    services.verifications.is_at_work = True
    answer = owner.get("/api/runs/1/verification")
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
    assert answer.get_json()["message"] == "The agent is at work on the answer."
