"""What the server decides for itself cannot be sent: whose something is, by whom, in which state, on which node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api import context

OURS = (
    "id",
    "owner",
    "submitter",
    "status",
    "state",
    "node",
    "backend",
    "attempt",
    "agentEpoch",
    "parentId",
    "jobId",
    "exitCode",
    "report",
    "spike",
    "tool_entry",
    "lockToken",
    "createdBy",
    "createdTime",
    "createdAt",
    "lastUsedTime",
    "secretSha256",
    "secret_sha256",
    "previousValidUntil",
    "nextRunTime",
    "revision",
    "__class__",
)

# What a body may say all the same, because it is the caller's to say.
CALLERS = {
    ("POST /api/jobs", "id"),
    ("POST /api/jobs/preview", "id"),
    ("POST /api/security/tokens/{identifier}", "owner"),
    ("POST /api/webhooks/runs/{webhook_id}", "status"),
    ("POST /api/runs/{run_id}/resolve", "status"),
    ("POST /api/search/runs", "owner"),
    ("POST /api/search/runs", "submitter"),
    ("POST /api/search/runs", "parentId"),
    ("POST /api/search/runs", "jobId"),
}


def bodies(app: Flask) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each operation that takes JSON, with the path to each object in its body."""
    described: dict[str, Any] = app.extensions[context.DESCRIPTION].to_dict()
    for path, item in described["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            if schema := content.get("application/json", {}).get("schema"):
                yield from ((f"{method.upper()} {path}", place) for place in objects(described, schema, ()))


def objects(described: dict[str, Any], schema: dict[str, Any], place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if "allOf" in schema:
        schema = schema["allOf"][0]
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" in schema or not place:
        yield place
    for name, inner in schema.get("properties", {}).items():
        yield from objects(described, inner, (*place, name))


def test_each_body_is_tried(app: Flask) -> None:
    tried = set(bodies(app))
    assert {("POST /api/runs", ()), ("POST /api/runs", ("jobSpec",)), ("POST /api/jobs", ("parameters",))} <= tried
    assert len({route for route, _ in tried}) > 10


@pytest.mark.parametrize("field", OURS)
def test_what_the_server_decides_is_refused_by_name_in_every_object_of_every_body(
    app: Flask, owner: FlaskClient, services: SimpleNamespace, field: str
) -> None:
    for route, place in bodies(app):
        if (route, field) in CALLERS:
            continue
        sent: dict[str, Any] = {field: "x"}
        for name in reversed(place):
            sent = {name: sent}
        method, path = route.split()
        address = re.sub(
            r"{(\w+)}", lambda part: "1" if part[1].endswith("_id") and part[1] != "webhook_id" else "spike", path
        )
        answer = owner.open(address, method=method, json=sent, headers={"If-Match": '"7"'})
        told = answer.get_json().get("errors", {}).get("json", {})
        for name in place:
            told = told.get(name, {})
        assert (answer.status_code, told.get(field)) == (422, ["Unknown field."]), f"{route} {place}"
    assert services.runs.calls + services.jobs.calls + services.tools.calls == []
