"""Whoever is refused too often waits; whoever has a valid token never does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.models.token import Permission
from app.repositories.database import Database
from app.services import refusals
from app.services.refusals import Counted, RefusalService
from app.settings import Settings
from tests.integration.core.callers import MAKER, Callers

LIMIT = 3
WRONG = "mao_ci_" + "x" * 43
NOON = datetime(2026, 11, 22, 12, 0, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """All calls of a test are in one minute."""
    monkeypatch.setattr(refusals, "utc_now", lambda: NOON)


@pytest.fixture
def strict(settings: Settings) -> Iterator[Callers]:
    made = Callers(replace(settings, limits=replace(settings.limits, refusals_per_minute=LIMIT)))
    yield made
    made.close()


def statuses(strict: Callers, secret: str | None, address: str, times: int) -> list[int]:
    client = strict.showing(secret, address)
    return [client.get("/api/runs").status_code for _ in range(times)]


def counted(strict: Callers) -> dict[str, int]:
    with strict.database.transaction() as session:
        return {row.source: row.count for row in session.execute(text("select source, count from refusals"))}


@pytest.mark.parametrize("secret", [None, "", "nonsense", WRONG, "mao_nobody_" + "x" * 43])
def test_the_call_after_the_limit_is_told_to_wait(strict: Callers, secret: str | None) -> None:
    assert statuses(strict, secret, "192.0.2.1", LIMIT + 2) == [401] * LIMIT + [429] * 2
    answer = strict.showing(secret, "192.0.2.1").get("/api/runs")
    assert answer.headers["Retry-After"] == "41"
    assert set(answer.get_json()) == {"code", "status", "message", "hint"}
    assert counted(strict)["address 192.0.2.1"] == LIMIT


def test_other_addresses_are_answered_as_before(strict: Callers) -> None:
    statuses(strict, None, "192.0.2.1", LIMIT + 1)
    assert statuses(strict, None, "192.0.2.2", 1) == [401]


def test_a_valid_token_is_accepted_whoever_is_refused(strict: Callers) -> None:
    _, secret = strict.services.tokens.create(MAKER, "ci", [Permission.JOB_RUN_READ], "archive-group")
    statuses(strict, WRONG, "192.0.2.1", LIMIT + 1)
    for number in range(2, LIMIT + 3):
        statuses(strict, WRONG, f"192.0.2.{number}", 1)
    assert statuses(strict, secret, "192.0.2.1", 1) == [200]
    assert statuses(strict, secret, "192.0.2.99", 1) == [200]


def test_guessing_one_token_from_many_addresses_ends_too(strict: Callers) -> None:
    told = [statuses(strict, WRONG, f"192.0.2.{number}", 1)[0] for number in range(LIMIT + 2)]
    assert told == [401] * LIMIT + [429] * 2
    assert statuses(strict, "mao_cd_" + "x" * 43, "192.0.2.99", 1) == [401]


def test_what_a_known_token_may_not_do_is_said_however_often_it_asks(strict: Callers) -> None:
    poor = strict.make("poor", [], "other-group")
    assert [poor.get("/api/runs").status_code for _ in range(LIMIT + 2)] == [403] * (LIMIT + 2)


def test_unknown_wrong_and_expired_tokens_are_refused_in_the_same_words(strict: Callers) -> None:
    _, expired = strict.services.tokens.create(MAKER, "ci", [Permission.JOB_RUN_READ], "archive-group")
    with strict.database.transaction() as session:
        session.execute(text("update tokens set expires_at = now() - interval '1 second'"))
    answers = [
        strict.showing(secret, f"192.0.2.{number}").get("/api/runs")
        for number, secret in enumerate((expired, WRONG, "mao_nobody_" + "x" * 43))
    ]
    bodies = {answer.get_data() for answer in answers}
    headers = {
        tuple(sorted((name, value) for name, value in answer.headers if name != "X-Request-Id")) for answer in answers
    }
    assert (len(bodies), len(headers)) == (1, 1)


def test_the_next_minute_begins_at_nothing(strict: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(strict, None, "192.0.2.1", LIMIT + 1)[-1] == 429
    monkeypatch.setattr(refusals, "utc_now", lambda: NOON + timedelta(seconds=40))
    assert statuses(strict, None, "192.0.2.1", 1) == [401]


def test_what_was_counted_an_hour_ago_is_forgotten(strict: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses(strict, WRONG, "192.0.2.1", 1)
    monkeypatch.setattr(refusals, "utc_now", lambda: NOON + timedelta(hours=1, minutes=1))
    statuses(strict, None, "192.0.2.2", 1)
    assert counted(strict) == {"address 192.0.2.2": 1}


def test_two_processes_count_together(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(2)]
    workers = [RefusalService(database, 2) for database in databases]
    told: list[Any] = [workers[number % 2].count("192.0.2.1", None).wait_seconds for number in range(4)]
    assert told == [0, 0, 41, 41]
    for database in databases:
        database.close()


def test_many_at_once_get_no_more_than_the_limit(database: Database) -> None:
    service = RefusalService(database, 10)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: service.count("192.0.2.1", "ci"), range(80)))
    assert sorted(counted.is_recorded for counted in told) == [False] * 70 + [True] * 10


def test_no_limit_refuses_nobody_for_good(database: Database) -> None:
    service = RefusalService(database, 0)
    assert {service.count("192.0.2.1", "ci") for _ in range(5)} == {Counted(is_recorded=True)}


def test_without_postgres_a_refused_call_is_refused_as_before() -> None:
    nowhere = Database("postgresql+psycopg2://mao@127.0.0.1:1/mao")
    assert RefusalService(nowhere, 1).count("192.0.2.1", None) == Counted(is_recorded=False)
