"""Tokens and health over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient


def test_whoami_tells_whose_token_it_is(owner: FlaskClient) -> None:
    assert owner.get("/api/security/whoami").get_json() == {
        "identifier": "root",
        "owner": "operator",
        "permissions": ["job_submit"],
        "expiresAt": None,
    }


def test_the_secret_of_a_token_is_in_the_answer_to_its_creation_only(owner: FlaskClient) -> None:
    made = owner.post("/api/security/tokens/root", json={"permissions": ["job_submit"]})
    assert (made.status_code, made.get_json()["token"]) == (201, "mao_root_secret")
    assert "token" not in owner.get("/api/security/tokens/root").get_json()
    assert owner.delete("/api/security/tokens/root").status_code == 204


def test_a_token_is_made_as_it_was_asked_for(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.post("/api/security/tokens/a", json={"permissions": [], "expiresAt": "2030-01-01T00:00:00Z"})
    assert services.tokens.calls[0][2] == {
        "permissions": [],
        "owner": None,
        "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
    }


def test_a_process_that_answers_is_alive_whatever_else_is_down(nobody: FlaskClient, services: SimpleNamespace) -> None:
    services.health = services.tokens = None
    assert nobody.get("/healthz").get_json() == {"status": "alive"}


@pytest.mark.parametrize(("is_up", "status", "word"), [(True, 200, "ready"), (False, 503, "not ready")])
def test_readiness_names_each_system(
    reader: FlaskClient, services: SimpleNamespace, is_up: bool, status: int, word: str
) -> None:
    services.health.found["docker"] = (is_up, "detail")
    answer = reader.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (status, word)
    assert answer.get_json()["systems"]["docker"] == {"isUp": is_up, "detail": "detail"}


def test_figures_are_told_as_prometheus_reads_them(reader: FlaskClient) -> None:
    answer = reader.get("/metrics")
    assert answer.mimetype == "text/plain"
    assert answer.text.splitlines() == [
        "# HELP mao_slots Runs that this node holds at most.",
        "# TYPE mao_slots gauge",
        "mao_slots 4.0",
        '# HELP mao_runs By "status".',
        "# TYPE mao_runs gauge",
        'mao_runs{status="RUNNING"} 2.0',
        'mao_runs{status="odd\\"\\\\\\n"} 1.0',
    ]
