"""The API's description: equal to what is served, and readable in a browser that reaches nothing but us."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.docs import ASSETS
from app.factory import create_app
from app.settings import load


@pytest.fixture
def description(nobody: FlaskClient) -> dict[str, Any]:
    described: dict[str, Any] = nobody.get("/api/openapi.json").get_json()
    return described


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    methods = ("get", "post", "put", "patch", "delete")
    return {
        (method, path): item[method]
        for path, item in description["paths"].items()
        for method in methods
        if method in item
    }


def test_the_description_has_every_route_and_no_other(app: Flask, description: dict[str, Any]) -> None:
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith("docs.")
    }
    assert set(operations(description)) == served


def test_every_operation_has_a_summary_and_says_what_it_needs(description: dict[str, Any]) -> None:
    for place, operation in operations(description).items():
        assert operation["summary"].endswith((".", "lines.")), place
        assert "Needs " in operation["description"], place
        assert "default" in operation["responses"], place


def test_security_is_asked_for_everywhere_but_for_life(description: dict[str, Any]) -> None:
    assert description["security"] == [{"token": []}, {"bearer": []}]
    assert set(description["components"]["securitySchemes"]) == {"token", "bearer"}
    open_places = [place for place, operation in operations(description).items() if operation.get("security") == []]
    assert open_places == [("get", "/healthz")]


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    references = set(re.findall(r"#/components/(\w+)/(\w+)", str(description)))
    assert references
    assert all(name in description["components"][kind] for kind, name in references)


def test_the_page_of_the_documentation_asks_nobody_but_us(nobody: FlaskClient) -> None:
    page = nobody.get("/api/docs")
    start = nobody.get("/api/docs/start.js").get_data(as_text=True)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True))
    assert {nobody.get(f"/api/{address}").status_code for address in addresses} == {200}
    assert "//" not in "".join(addresses) + start
    assert "validatorUrl: null" in start
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_the_files_of_swagger_ui_are_there(nobody: FlaskClient) -> None:
    assert {nobody.get(f"/api/docs/{name}").status_code for name in ASSETS} == {200}


def test_making_an_application_starts_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    create_app(load({}, tmp_path))
    assert threading.active_count() == before


def test_an_application_can_be_made_twice_in_one_process(tmp_path: Path, services: SimpleNamespace) -> None:
    first, second = (create_app(load({}, tmp_path), services) for _ in range(2))
    answers = [app.test_client().get("/api/openapi.json").get_json() for app in (first, second)]
    assert answers[0] == answers[1]
