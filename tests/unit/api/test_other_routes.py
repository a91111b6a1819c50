"""Jobs, tokens and health over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

JOB_KEYS = [
    "id",
    "tool",
    "schedule",
    "isOnce",
    "zone",
    "misfire",
    "maxAgeSeconds",
    "overlap",
    "parameters",
    "description",
    "owner",
    "submitter",
    "createdTime",
    "updatedTime",
    "nextRunTime",
    "pausedTime",
    "pauseReason",
    "isInternal",
    "lastRunId",
]


@pytest.mark.parametrize(("tool", "status"), [("new", 201), ("known", 200)])
def test_scheduling_says_whether_the_job_is_new(owner: FlaskClient, tool: str, status: int) -> None:
    answer = owner.post("/api/jobs", json={"tool": tool, "schedule": "daily"})
    assert (answer.status_code, answer.headers["Location"]) == (status, "/api/jobs/spike")
    assert list(answer.get_json()) == JOB_KEYS
    assert answer.get_json()["lastRunId"] == 5


def test_a_schedule_reaches_the_service_in_its_own_words(owner: FlaskClient, services: SimpleNamespace) -> None:
    sent = {"id": "a", "tool": "new", "at": "2030-01-01T02:00:00+02:00", "timeOfDay": "02:30", "maxAgeSeconds": 9}
    owner.post("/api/jobs", json={**sent, "parameters": {"timeoutSeconds": 7}})
    values = services.jobs.calls[0][1][1]
    assert values.pop("at") == datetime(2030, 1, 1, tzinfo=UTC)
    assert values == {
        "id": "a",
        "tool": "new",
        "time_of_day": "02:30",
        "max_age_seconds": 9,
        "parameters": {"timeout_seconds": 7},
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", "2030-01-01T00:00:00"),
        ("at", "tomorrow"),
        ("at", "9999-12-31T23:59:59-12:00"),
        ("at", "0001-01-01T00:00:00+14:00"),
        ("description", "x" * 5000),
        ("misfire", "maybe"),
        ("overlap", "pile"),
        ("maxAgeSeconds", 2**40),
        ("maxAgeSeconds", "9"),
        ("tool", None),
        ("parameters", {"env": {"1": "x"}}),
        ("jitter", 3),
    ],
)
def test_a_job_that_breaks_a_rule_is_refused(owner: FlaskClient, field: str, value: object) -> None:
    answer = owner.post("/api/jobs", json={"tool": "new", field: value})
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]["json"]) == [field]


def test_the_products_own_jobs_follow_on_the_last_page(owner: FlaskClient) -> None:
    first = owner.get("/api/jobs?internal=true&limit=2").get_json()
    last = owner.get(f"/api/jobs?internal=true&limit=2&cursor={first['next']}").get_json()
    assert [job["id"] for job in first["items"]] == ["a", "b"]
    assert [(job["id"], job["isInternal"]) for job in last["items"]] == [
        ("c", False),
        ("mao.firings", True),
        ("mao.life", True),
    ]
    assert list(last["items"][2]) == JOB_KEYS
    assert last["items"][2]["nextRunTime"] == "2024-02-29T12:00:03+00:00"


def test_a_job_is_paused_with_its_reason_and_resumed(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/jobs/spike/pause", json={"reason": "holiday"}).status_code == 200
    assert owner.post("/api/jobs/spike/resume").status_code == 200
    assert [(name, arguments[1:]) for name, arguments, _ in services.jobs.calls] == [
        ("pause", ("spike", "holiday")),
        ("resume", ("spike",)),
    ]


def test_a_job_is_removed(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.delete("/api/jobs/spike").status_code == 204
    assert services.jobs.calls[0][1][1] == "spike"


def test_firings_are_read_page_by_page(owner: FlaskClient) -> None:
    first = owner.get("/api/jobs/spike/firings?limit=1").get_json()
    second = owner.get(f"/api/jobs/spike/firings?limit=1&cursor={first['next']}").get_json()
    assert [item["dueTime"][:10] for item in first["items"] + second["items"]] == ["2024-02-29", "2024-02-28"]
    assert (list(first["items"][0]), second["next"]) == (
        ["dueTime", "recordedTime", "outcome", "reason", "runId"],
        None,
    )


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
