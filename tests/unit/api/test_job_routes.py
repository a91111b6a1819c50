"""Jobs over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from .samples import NOON
from .stubs import a_job

JOB_KEYS = [
    "id",
    "tool",
    "schedule",
    "isOnce",
    "zone",
    "misfire",
    "maxAgeSeconds",
    "catchUpLimit",
    "overlap",
    "jitterSeconds",
    "parameters",
    "description",
    "owner",
    "submitter",
    "createdTime",
    "updatedTime",
    "nextDueTime",
    "nextRunTime",
    "pausedTime",
    "pausedUntil",
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
        ("jitterSeconds", -1),
        ("jitterSeconds", 86_401),
        ("catchUpLimit", 0),
        ("catchUpLimit", 1001),
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
        ("pause", ("spike", "holiday", None)),
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
        ["dueTime", "recordedTime", "outcome", "reason", "runId", "notBefore"],
        None,
    )


def test_a_pause_may_have_an_end(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.post("/api/jobs/spike/pause", json={"until": "2030-01-01T02:00:00+02:00"}).status_code == 200
    assert services.jobs.calls[0][1][2:] == ("", datetime(2030, 1, 1, tzinfo=UTC))
    refused = owner.post("/api/jobs/spike/pause", json={"until": "2030-01-01T02:00:00"})
    assert refused.get_json()["errors"]["json"].keys() == {"until"}


def test_a_pause_that_is_over_is_not_shown(owner: FlaskClient, services: SimpleNamespace) -> None:
    paused = a_job(paused_at=NOON, paused_until=NOON.replace(year=9000, day=1), pause_reason="holiday")
    over = a_job(paused_at=NOON, paused_until=NOON, pause_reason="holiday")
    services.jobs.list = lambda *_, **__: [(paused, None), (over, None)]
    shown = owner.get("/api/jobs").get_json()["items"]
    assert [job["pauseReason"] for job in shown] == ["holiday", None]
    assert [job["pausedTime"] is None for job in shown] == [False, True]
    assert [job["pausedUntil"] is None for job in shown] == [False, True]


def test_the_instant_of_the_schedule_is_shown_beside_that_of_the_firing(
    owner: FlaskClient, services: SimpleNamespace
) -> None:
    services.jobs.get = lambda *_: (a_job(next_run_at=NOON, jitter_seconds=3600), None)
    shown = owner.get("/api/jobs/spike").get_json()
    later = datetime.fromisoformat(shown["nextRunTime"]) - datetime.fromisoformat(shown["nextDueTime"])
    assert 0 < later.total_seconds() < 3600


def test_only_what_is_named_is_changed(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.patch("/api/jobs/spike", json={"zone": "Asia/Kathmandu", "jitterSeconds": 60})
    assert (answer.status_code, list(answer.get_json())) == (200, JOB_KEYS)
    assert services.jobs.calls[0][1][1:] == ("spike", {"zone": "Asia/Kathmandu", "jitter_seconds": 60})


@pytest.mark.parametrize(("field", "value"), [("id", "other"), ("jitter", 3), ("zone", None), ("owner", "me")])
def test_a_change_of_what_cannot_be_changed_is_refused(owner: FlaskClient, field: str, value: object) -> None:
    answer = owner.patch("/api/jobs/spike", json={field: value})
    assert (answer.status_code, list(answer.get_json()["errors"]["json"])) == (422, [field])


def test_a_preview_tells_the_instant_in_utc_and_by_the_clock_of_the_zone(
    owner: FlaskClient, services: SimpleNamespace
) -> None:
    shown = owner.get("/api/jobs/spike/preview?count=3").get_json()
    assert services.jobs.calls[0][1][1:] == ("spike", 3)
    assert shown == {
        "schedule": "0 0 * * *",
        "zone": "Asia/Kathmandu",
        "jitterSeconds": 0,
        "offsetSeconds": 7,
        "items": [
            {
                "dueTime": "2024-02-29T12:00:00+00:00",
                "localTime": "2024-02-29T17:45:00+05:45",
                "fireTime": "2024-02-29T12:00:00+00:00",
                "isPaused": False,
            }
        ],
    }


def test_a_schedule_that_is_not_stored_is_previewed(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/jobs/preview", json={"schedule": "daily", "timeOfDay": "02:30"})
    assert (answer.status_code, answer.get_json()["items"]) == (200, [])
    assert services.jobs.calls == [("preview_unstored", ({"schedule": "daily", "time_of_day": "02:30"}, 10), {})]


@pytest.mark.parametrize("count", ["0", "101", "many"])
def test_a_preview_has_its_limits(owner: FlaskClient, count: str) -> None:
    assert owner.get(f"/api/jobs/spike/preview?count={count}").status_code == 422
    assert owner.post(f"/api/jobs/preview?count={count}", json={"schedule": "daily"}).status_code == 422


@pytest.mark.parametrize(
    ("asked", "at"),
    [
        ("2026-03-01T02:30:00%2B02:00", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
        ("2026-03-01T02:30", datetime(2026, 3, 1, 2, 30)),
    ],
)
def test_why_takes_instants_and_local_times(
    owner: FlaskClient, services: SimpleNamespace, asked: str, at: datetime
) -> None:
    shown = owner.get(f"/api/jobs/spike/why?at={asked}").get_json()
    assert services.jobs.calls[0][1][1:] == ("spike", at)
    assert (shown["outcome"], shown["answer"], shown["runStatus"]) == ("fired", "It was due.", "FAILED")
    assert (shown["firing"]["runId"], shown["localTime"]) == (1, "2024-02-29T17:45:00+05:45")


@pytest.mark.parametrize("asked", ["", "yesterday", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00"])
def test_why_refuses_what_is_no_instant(owner: FlaskClient, asked: str) -> None:
    answer = owner.get(f"/api/jobs/spike/why?at={asked}")
    assert (answer.status_code, list(answer.get_json()["errors"]["query"])) == (422, ["at"])
