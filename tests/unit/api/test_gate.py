"""Every route declares who may use it, and the gate in front of them believes nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.security import Access, access_of
from app.errors import DatabaseDown
from app.models.token import Permission

PUBLIC = {"/healthz", "/api/openapi.json", "/api/docs", "/api/docs/start.js", "/api/docs/<name>"}


def address(rule: str) -> str:
    return (
        rule.replace("<row:run_id>", "1")
        .replace("<row:decision_id>", "1")
        .replace("<name>", "spike")
        .replace("<job_id>", "spike")
        .replace("<key>", "archive")
        .replace("<file_id>", "list.csv")
        .replace("<webhook_id>", "1-0")
        .replace("<identifier>", "root")
    )


def routes(app: Flask) -> list[tuple[str, str, Access]]:
    """Give method, rule and access of every operation."""
    found = []
    for rule in app.url_map.iter_rules():
        access = access_of(rule.endpoint, app)
        assert access is not None, f"{rule.rule} declares nobody who may use it"
        found += [(method, rule.rule, access) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


def test_every_route_declares_its_rule(app: Flask) -> None:
    assert len(routes(app)) > 35


def test_only_life_and_the_documentation_need_no_token(app: Flask) -> None:
    assert {rule for _, rule, access in routes(app) if not access.needs_token} == PUBLIC


def test_without_a_token_every_other_call_is_unauthenticated(app: Flask, nobody: FlaskClient) -> None:
    for method, rule, access in routes(app):
        if access.needs_token:
            answer = nobody.open(address(rule), method=method, json={})
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), f"{method} {rule}"


def test_a_token_without_the_permission_is_forbidden_everywhere(app: Flask, reader: FlaskClient) -> None:
    for method, rule, access in routes(app):
        if access.permissions:
            answer = reader.open(address(rule), method=method, json={})
            assert answer.status_code == 403, f"{method} {rule}"
            assert access.permissions[0] in answer.get_json()["hint"]


def test_whatever_changes_something_needs_a_permission_but_for_the_secret_of_ones_own_token(app: Flask) -> None:
    changing = [rule for method, rule, access in routes(app) if method != "GET" and not access.permissions]
    assert changing == ["/api/security/tokens/<identifier>/rotate"]


def test_a_route_that_declares_nothing_is_closed_even_to_root(fresh_app: Flask) -> None:
    fresh_app.add_url_rule("/forgotten", view_func=lambda: "secret")
    answer = fresh_app.test_client().get("/forgotten", headers={"X-Api-Token": "secret-of-all"})
    assert answer.status_code == 403


def test_a_head_request_passes_the_same_gate(nobody: FlaskClient) -> None:
    assert nobody.head("/api/tools").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"X-Api-Token": "wrong"},
        {"X-Api-Token": ""},
        {"Authorization": "Basic cm9vdDpyb290"},
        {"Authorization": "Bearer"},
        {"X-Api-Token": "wrong", "Authorization": "Bearer secret-of-all"},
    ],
)
def test_a_wrong_token_is_refused_however_it_is_sent(nobody: FlaskClient, headers: dict[str, str]) -> None:
    assert nobody.get("/api/tools", headers=headers).status_code == 401


def test_a_bearer_token_is_as_good_as_the_header_of_ours(nobody: FlaskClient) -> None:
    assert nobody.get("/api/tools", headers={"Authorization": "Bearer secret-of-all"}).status_code == 200


def test_one_of_several_permissions_is_enough() -> None:
    access = Access((Permission.REGISTRY_WRITE, Permission.REGISTRY_ADMIN))
    holder = SimpleNamespace(may=lambda permission: permission is Permission.REGISTRY_ADMIN)
    assert access.allows(holder)  # type: ignore[arg-type]


def test_while_the_database_is_down_readiness_still_tells_which_system_it_is(
    owner: FlaskClient, nobody: FlaskClient, services: SimpleNamespace
) -> None:
    services.tokens.error = DatabaseDown("PostgreSQL does not answer.")
    services.health.found = {"postgres": (False, "no answer"), "etcd": (True, "3.5")}
    assert owner.get("/readyz").get_json()["systems"]["postgres"] == {"isUp": False, "detail": "no answer"}
    assert owner.get("/api/tools").status_code == 503
    assert nobody.get("/readyz").status_code == 401


def test_the_service_is_told_who_asks(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.delete("/api/tools/spike")
    (_, (who, *_), _), *_ = services.tools.calls
    assert who.identifier == "root"
