"""Changes of runs over HTTP, and the keys under which runs are asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

SUBMISSIONS = {
    "/api/runs": {"jobSpec": {"tool": "spike"}},
    "/api/tools/spike/runs": {},
    "/api/runs/1/resubmit": {},
}


@pytest.mark.parametrize("address", SUBMISSIONS)
@pytest.mark.parametrize("key", ["k", "!" + "~" * 254, None])
def test_the_idempotency_key_reaches_the_service(
    owner: FlaskClient, services: SimpleNamespace, address: str, key: str | None
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    assert owner.post(address, json=SUBMISSIONS[address], headers=headers).status_code == 202
    assert services.submissions.calls[0][2] == {"key": key}


@pytest.mark.parametrize("address", SUBMISSIONS)
@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "clé", "\x7f"])
def test_a_key_that_breaks_the_rule_is_refused(
    owner: FlaskClient, services: SimpleNamespace, address: str, key: str
) -> None:
    answer = owner.post(address, json=SUBMISSIONS[address], headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.get_json()["message"]
    assert services.submissions.calls == []


def test_a_run_is_started(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/runs/1/start")
    assert (answer.status_code, answer.get_json()["id"]) == (202, 1)
    assert services.run_changes.calls[0][1][1:] == (1,)


def test_a_run_is_refreshed(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/runs/1/refresh", json={}).status_code == 202
    assert services.run_changes.calls[0][0] == "refresh"


@pytest.mark.parametrize("decision", ["promote", "discard"])
def test_files_that_are_kept_of_a_run_are_decided_upon(
    owner: FlaskClient, services: SimpleNamespace, decision: str
) -> None:
    answer = owner.post(f"/api/runs/1/{decision}")
    assert (answer.status_code, answer.get_json()["id"]) == (202, 1)
    assert [(call[0], call[1][1:]) for call in services.quarantines.calls] == [(decision, (1,))]
    assert owner.post(f"/api/runs/2/{decision}").status_code == 409


@pytest.mark.parametrize(("body", "is_forced"), [(None, False), ({}, False), ({"force": True}, True)])
def test_a_promotion_is_forced_only_when_it_says_so(
    owner: FlaskClient, services: SimpleNamespace, body: dict[str, bool] | None, is_forced: bool
) -> None:
    assert owner.post("/api/runs/1/promote", json=body).status_code == 202
    assert services.quarantines.calls[0][2] == {"is_forced": is_forced}


@pytest.mark.parametrize("body", [{"force": "true"}, {"force": 1}, {"isForced": True}])
def test_what_forces_a_promotion_is_a_plain_yes(
    owner: FlaskClient, services: SimpleNamespace, body: dict[str, object]
) -> None:
    assert owner.post("/api/runs/1/promote", json=body).status_code == 422
    assert services.quarantines.calls == []


def test_a_run_is_submitted_again_with_what_is_to_be_otherwise(owner: FlaskClient, services: SimpleNamespace) -> None:
    body = {"parameters": {"timeoutSeconds": 5, "publish": "none"}, "description": "again"}
    answer = owner.post("/api/runs/1/resubmit", json=body)
    assert (answer.status_code, answer.get_json(), answer.headers["Location"]) == (202, {"runId": 13}, "/api/runs/13")
    changes = {"timeout_seconds": 5, "publish": "none", "description": "again"}
    assert services.submissions.calls[0][1][1:] == (1, changes)


def test_a_resubmission_needs_no_body(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/runs/1/resubmit").status_code == 202
    assert services.submissions.calls[0][1][1:] == (1, {})


def test_a_run_in_doubt_is_resolved(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/runs/1/resolve", json={"status": "SUCCEDED", "reason": "All files are there."})
    assert answer.status_code == 200
    assert services.run_changes.calls[0][1][1:] == (1, "SUCCEDED", "All files are there.")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "FAILED"}, "reason"),
        ({"reason": "x"}, "status"),
        ({"status": "FAILED", "reason": ""}, "reason"),
        ({"status": "FAILED", "reason": " \n"}, "reason"),
        ({"status": "FAILED", "reason": "x" * 1001}, "reason"),
        ({"status": "FAILED", "reason": "\x1b[2J"}, "reason"),
        ({"status": "F" * 41, "reason": "x"}, "status"),
        ({"status": 1, "reason": "x"}, "status"),
    ],
)
def test_a_resolution_without_status_and_reason_is_refused(
    owner: FlaskClient, services: SimpleNamespace, body: dict[str, object], field: str
) -> None:
    answer = owner.post("/api/runs/1/resolve", json=body)
    assert answer.status_code == 422
    assert field in answer.get_json()["errors"]["json"]
    assert services.run_changes.calls == []


@pytest.mark.parametrize(
    ("change", "body"), [("start", {}), ("refresh", {}), ("resolve", {"status": "FAILED", "reason": "x"})]
)
def test_a_change_that_the_state_forbids_is_a_conflict(owner: FlaskClient, change: str, body: dict[str, str]) -> None:
    assert owner.post(f"/api/runs/2/{change}", json=body).status_code == 409


def test_attempts_say_what_became_of_each(owner: FlaskClient) -> None:
    (attempt,) = owner.get("/api/runs/1/attempts").get_json()["items"]
    assert attempt["number"] == 1
    assert attempt["cause"] == "lost"
    assert attempt["endTime"] == "2024-02-29T12:00:00+00:00"
