"""Every route against every kind of caller: allowed exactly where this table, written by hand, says so."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api import context
from app.errors import Unauthenticated
from app.models.token import Identity, Permission

P = Permission
PUBLIC: frozenset[Permission] | None = None
ANY_TOKEN: frozenset[Permission] = frozenset()
JOB_READERS = frozenset({P.JOB_SCHEDULE, P.JOB_SCHEDULE_ANY, P.JOB_RUN_READ, P.JOB_RUN_READ_ANY})
SCHEDULERS = frozenset({P.JOB_SCHEDULE, P.JOB_SCHEDULE_ANY})
RUN_READERS = frozenset({P.JOB_RUN_READ, P.JOB_RUN_READ_ANY})
REGISTRARS = frozenset({P.REGISTRY_WRITE, P.REGISTRY_ADMIN})
SUBMITTERS = frozenset({P.JOB_SUBMIT})
TOKEN_WRITERS = frozenset({P.SECURITY_TOKEN_WRITE})

# Any one of the permissions is enough. A route that is not here is a failure: say first who may use it.
RIGHTS: dict[str, frozenset[Permission] | None] = {
    "GET /api/audit-log": frozenset({P.AUDIT_READ}),
    "GET /api/clones": ANY_TOKEN,
    "GET /api/datasets": ANY_TOKEN,
    "POST /api/datasets": REGISTRARS,
    "GET /api/datasets/<name>": ANY_TOKEN,
    "PUT /api/datasets/<name>": REGISTRARS,
    "DELETE /api/datasets/<name>": REGISTRARS,
    "GET /api/datasets/<name>/clone": ANY_TOKEN,
    "POST /api/datasets/<name>/clone": frozenset({P.DATASET_WRITE}),
    "DELETE /api/datasets/<name>/clone": frozenset({P.DATASET_WRITE}),
    "GET /api/datasets/<name>/origin": RUN_READERS,
    "GET /api/datasets/<name>/snapshots": ANY_TOKEN,
    "GET /api/datasets/<name>/compare": ANY_TOKEN,
    "GET /api/definitions": frozenset({P.REGISTRY_WRITE}),
    "GET /api/docs": PUBLIC,
    "GET /api/docs/<name>": PUBLIC,
    "GET /api/docs/start.js": PUBLIC,
    "GET /api/incidents": RUN_READERS,
    "GET /api/index/hubs": ANY_TOKEN,
    "GET /api/index/<hub>/dates": ANY_TOKEN,
    "GET /api/index/<hub>/<date>/operators": ANY_TOKEN,
    "POST /api/index/<hub>/<date>/<operator>/<dataset>/clone": frozenset({P.DATASET_WRITE}),
    "GET /api/installations": ANY_TOKEN,
    "GET /api/jobs": JOB_READERS,
    "POST /api/jobs": SCHEDULERS,
    "POST /api/jobs/preview": JOB_READERS,
    "GET /api/jobs/<job_id>": JOB_READERS,
    "PATCH /api/jobs/<job_id>": SCHEDULERS,
    "DELETE /api/jobs/<job_id>": SCHEDULERS,
    "GET /api/jobs/<job_id>/firings": JOB_READERS,
    "GET /api/jobs/<job_id>/preview": JOB_READERS,
    "GET /api/jobs/<job_id>/why": JOB_READERS,
    "POST /api/jobs/<job_id>/pause": SCHEDULERS,
    "POST /api/jobs/<job_id>/resume": SCHEDULERS,
    "GET /api/locks": ANY_TOKEN,
    "DELETE /api/locks/<key>": frozenset({P.NODE_WRITE}),
    "GET /api/notifications": ANY_TOKEN,
    "GET /api/notifications/deliveries": frozenset({P.NODE_WRITE}),
    "POST /api/notifications/test": frozenset({P.NODE_WRITE}),
    "GET /api/openapi.json": PUBLIC,
    "GET /api/runs": RUN_READERS | {P.JOB_RUN_SEARCH},
    "POST /api/runs": SUBMITTERS,
    "GET /api/runs/<run_id>": RUN_READERS,
    "DELETE /api/runs/<run_id>": frozenset({P.JOB_RUN_ABORT, P.JOB_RUN_ABORT_ANY}),
    "GET /api/runs/<run_id>/attempts": RUN_READERS,
    "GET /api/runs/<run_id>/events": RUN_READERS,
    "GET /api/runs/<run_id>/files": RUN_READERS,
    "GET /api/runs/<run_id>/files/<file_id>": RUN_READERS,
    "POST /api/runs/<run_id>/files/<file_id>": frozenset({P.JOB_RUN_UPLOAD_FILES, P.JOB_RUN_CHANGE_ANY}),
    "GET /api/runs/<run_id>/output.txt": frozenset({P.JOB_RUN_OUTPUT}),
    "GET /api/runs/<run_id>/passport": RUN_READERS,
    "POST /api/runs/<run_id>/discard": frozenset({P.DATASET_WRITE}),
    "POST /api/runs/<run_id>/promote": frozenset({P.DATASET_WRITE}),
    "POST /api/runs/<run_id>/refresh": frozenset({P.JOB_RUN_REFRESH}),
    "GET /api/runs/<run_id>/report": RUN_READERS,
    "POST /api/runs/<run_id>/resolve": frozenset({P.JOB_RUN_RESOLVE}),
    "POST /api/runs/<run_id>/resubmit": frozenset({P.JOB_RUN_RESUBMIT}),
    "POST /api/runs/<run_id>/replay": frozenset({P.JOB_RUN_RESUBMIT}),
    "GET /api/runs/<run_id>/verification": frozenset({P.JOB_RUN_READ, P.JOB_RUN_READ_ANY}),
    "POST /api/runs/<run_id>/start": frozenset({P.JOB_RUN_MANUAL_START}),
    "GET /api/runs/<run_id>/wait": RUN_READERS,
    "POST /api/search/runs": frozenset({P.JOB_RUN_SEARCH}),
    "GET /api/security/tokens": TOKEN_WRITERS,
    "GET /api/security/tokens/<identifier>": TOKEN_WRITERS,
    "POST /api/security/tokens/<identifier>": TOKEN_WRITERS,
    "DELETE /api/security/tokens/<identifier>": TOKEN_WRITERS,
    "POST /api/security/tokens/<identifier>/rotate": ANY_TOKEN,
    "GET /api/security/whoami": ANY_TOKEN,
    "GET /api/tools": ANY_TOKEN,
    "POST /api/tools": REGISTRARS,
    "GET /api/tools/<name>": ANY_TOKEN,
    "PUT /api/tools/<name>": REGISTRARS,
    "DELETE /api/tools/<name>": REGISTRARS,
    "GET /api/tools/<name>/decisions": RUN_READERS,
    "POST /api/tools/<name>/decisions": frozenset({P.DATASET_WRITE}),
    "POST /api/tools/<name>/decisions/<decision_id>/undo": frozenset({P.DATASET_WRITE}),
    "GET /api/tools/<name>/help": ANY_TOKEN,
    "GET /api/tools/<name>/installation": ANY_TOKEN,
    "POST /api/tools/<name>/installation": frozenset({P.NODE_WRITE}),
    "DELETE /api/tools/<name>/installation": frozenset({P.NODE_WRITE}),
    "GET /api/tools/<name>/metrics": RUN_READERS,
    "GET /api/tools/<name>/metrics/<metric>": RUN_READERS,
    "GET /api/tools/<name>/metrics/<metric>/backtest": RUN_READERS,
    "POST /api/tools/<name>/metrics/import": frozenset({P.DATASET_WRITE}),
    "POST /api/tools/<name>/runs": SUBMITTERS,
    "POST /api/webhooks/runs/<webhook_id>": frozenset({P.WEBHOOK_UPDATE_STATUS, P.WEBHOOK_IDENTIFICATION_KEYS}),
    "GET /api/webhooks/runs/<webhook_id>/files/<file_id>": frozenset({P.WEBHOOK_GET_FILES}),
    "GET /healthz": PUBLIC,
    "GET /metrics": ANY_TOKEN,
    "GET /readyz": ANY_TOKEN,
}
READ_ONLY_POSTS = {"POST /api/jobs/preview", "POST /api/search/runs"}
STRANGERS = {
    "no token": None,
    "malformed": "root",
    "malformed in our form": "mao_root_" + "x" * 42,
    "unknown": "mao_nobody_" + "x" * 43,
}
every_route = pytest.mark.parametrize("route", RIGHTS)


def routes(app: Flask) -> set[str]:
    """Give each operation of the URL map as ``GET /api/tools/<name>``."""
    return {
        f"{method} {re.sub(r'<[a-z]+:', '<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def call(client: FlaskClient, route: str, secret: str | None) -> int:
    method, rule = route.split()
    address = re.sub(r"<(\w+)>", lambda part: "1" if part[1] in ("run_id", "decision_id") else "spike", rule)
    headers = {} if secret is None else {"X-Api-Token": secret}
    return client.open(address, method=method, json=None if method == "GET" else {}, headers=headers).status_code


@pytest.fixture
def client(app: Flask, services: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Somebody to whom ``may <permissions>`` is a token that allows just these."""

    def authenticate(secret: str) -> Identity:
        word, _, names = secret.partition(" ")
        if word != "may":
            raise Unauthenticated("The token is missing, unknown, replaced or expired.")
        return Identity("somebody", "somebody", frozenset(names.split()))

    monkeypatch.setattr(services.tokens, "authenticate", authenticate)
    return app.test_client()


def test_every_route_has_its_line_and_every_line_its_route(app: Flask) -> None:
    assert routes(app) == RIGHTS.keys()


def test_every_route_but_the_documentation_is_described_with_its_permissions(app: Flask) -> None:
    described: dict[str, Any] = app.extensions[context.DESCRIPTION].to_dict()["paths"]
    told = {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": operation
        for path, item in described.items()
        for method, operation in item.items()
        if method in ("get", "post", "put", "patch", "delete")
    }
    documentation = {route for route in RIGHTS if "/docs" in route or route.endswith("/openapi.json")}
    assert told.keys() == RIGHTS.keys() - documentation
    for route, operation in told.items():
        expected = RIGHTS[route]
        assert set(operation.get("x-permissions", ())) == (expected or set()), route
        assert (operation.get("security") == []) == (expected is PUBLIC), route


@every_route
@pytest.mark.parametrize("stranger", STRANGERS)
def test_who_shows_no_valid_token_is_let_in_where_it_is_public_only(
    client: FlaskClient, route: str, stranger: str
) -> None:
    status = call(client, route, STRANGERS[stranger])
    assert (status == 401) == (RIGHTS[route] is not PUBLIC), status


@every_route
def test_each_permission_alone_opens_what_the_table_says(client: FlaskClient, route: str) -> None:
    for permission in Permission:
        status = call(client, route, f"may {permission}")
        is_allowed = not RIGHTS[route] or permission in (RIGHTS[route] or ())
        assert (status not in (401, 403)) == is_allowed, f"{permission}: {status}"
        assert status < 500, f"{permission}: {status}"


@every_route
def test_a_token_without_permissions_opens_what_any_token_does(client: FlaskClient, route: str) -> None:
    assert (call(client, route, "may ") == 403) == bool(RIGHTS[route])


@every_route
def test_all_permissions_but_the_right_ones_open_nothing(client: FlaskClient, route: str) -> None:
    if not RIGHTS[route]:
        return
    others = " ".join(set(Permission) - (RIGHTS[route] or frozenset()))
    assert call(client, route, f"may {others}") == 403


@every_route
def test_all_permissions_open_everything(client: FlaskClient, route: str) -> None:
    assert call(client, route, f"may {' '.join(Permission)}") not in (401, 403)


@every_route
def test_every_change_is_in_the_audit_log_and_no_reading_is(
    client: FlaskClient, services: SimpleNamespace, route: str
) -> None:
    call(client, route, f"may {' '.join(Permission)}")
    is_change = not route.startswith("GET ") and route not in READ_ONLY_POSTS
    assert bool([call for call in services.audit.calls if call[0] == "begin"]) == is_change
