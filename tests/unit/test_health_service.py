"""Health: every system by name, whatever a check does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from app.clock import utc_now
from app.errors import DatabaseDown, RegistryDown
from app.models.agent import Agent
from app.services import health
from app.services.health import HealthService, judge_agent


def an_agent(age_seconds: float = 1, systems: dict[str, object] | None = None) -> Agent:
    docker = {"docker": {"is_up": True, "detail": "20.10.24"}}
    seen_at = utc_now() - timedelta(seconds=age_seconds)
    return Agent(node="n", version="1.2", seen_at=seen_at, systems=docker if systems is None else systems)


def service(
    database: Callable[[], str] = lambda: "15.18",
    registry: Callable[[], str] = lambda: "3.5.1",
    agent: Callable[[], Agent | None] = an_agent,
) -> HealthService:
    return HealthService(database, registry, agent)


def failing(error: Exception) -> Callable[[], str]:
    def ping() -> str:
        raise error

    return ping


def test_every_system_that_answers_is_up_with_its_version() -> None:
    assert service().check() == {
        "postgres": (True, "15.18"),
        "etcd": (True, "3.5.1"),
        "agent": (True, "1.2"),
        "docker": (True, "20.10.24"),
    }


def test_a_system_that_is_down_says_why_and_leaves_the_others_alone() -> None:
    found = service(registry=failing(RegistryDown("etcd does not answer."))).check()
    assert found["etcd"] == (False, "etcd does not answer.")
    assert found["postgres"] == (True, "15.18")


def test_without_the_database_nothing_is_known_of_the_agent() -> None:
    def no_database() -> Agent | None:
        raise DatabaseDown("PostgreSQL does not answer.")

    found = service(database=failing(DatabaseDown("PostgreSQL does not answer.")), agent=no_database).check()
    assert [name for name, (is_up, _) in found.items() if is_up] == ["etcd"]


def test_a_check_that_breaks_off_is_logged_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    found = service(registry=failing(RuntimeError("password=hunter2"))).check()
    assert found["etcd"][0] is False
    assert "hunter2" not in found["etcd"][1]
    assert "hunter2" in caplog.text


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Lets a hanging check go on when the test is over."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    event = threading.Event()
    yield event
    event.set()


def test_a_check_that_hangs_is_not_waited_for(release: threading.Event) -> None:
    def hang() -> str:
        release.wait()
        return "too late"

    found = service(registry=hang).check()
    assert found["etcd"] == (False, "No answer within 0.05 seconds.")


def test_no_agent_at_all_is_said_so() -> None:
    assert judge_agent(None)["agent"] == (False, "No agent has ever run on this node.")


@pytest.mark.parametrize(("age_seconds", "is_up"), [(0, True), (14, True), (17, False), (86_400, False)])
def test_an_agent_is_up_while_its_last_sign_of_life_is_young(age_seconds: int, is_up: bool) -> None:
    found = judge_agent(an_agent(age_seconds))
    assert (found["agent"][0], found["docker"][0]) == (is_up, is_up)


@pytest.mark.parametrize("systems", [{}, {"docker": {"is_up": False, "detail": "no socket"}}])
def test_docker_is_what_the_agent_said_of_it(systems: dict[str, object]) -> None:
    assert judge_agent(an_agent(systems=systems))["docker"][0] is False
