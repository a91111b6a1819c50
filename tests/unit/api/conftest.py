"""An application over stub services, and a client for each kind of caller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.context import EXTENSION
from app.factory import create_app
from app.settings import load

from .stubs import stub_services


@pytest.fixture
def services() -> SimpleNamespace:
    return stub_services()


@pytest.fixture(scope="session")
def built_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Built once, because the description of the whole API is: each test puts its own services in."""
    return create_app(load({}, tmp_path_factory.mktemp("instance")), stub_services())


@pytest.fixture
def app(built_app: Flask, services: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setitem(built_app.extensions, EXTENSION, services)
    return built_app


@pytest.fixture
def fresh_app(services: SimpleNamespace, tmp_path: Path) -> Flask:
    """An application of its own, for a test that adds a route."""
    return create_app(load({}, tmp_path), services)


@pytest.fixture
def client_of(app: Flask) -> Callable[[str | None], FlaskClient]:
    def make(secret: str | None) -> FlaskClient:
        client = app.test_client()
        if secret is not None:
            client.environ_base["HTTP_X_API_TOKEN"] = secret
        return client

    return make


@pytest.fixture
def owner(client_of: Callable[[str | None], FlaskClient]) -> FlaskClient:
    """Somebody who may do everything."""
    return client_of("secret-of-all")


@pytest.fixture
def reader(client_of: Callable[[str | None], FlaskClient]) -> FlaskClient:
    """Somebody with a valid token that allows nothing."""
    return client_of("secret-of-none")


@pytest.fixture
def nobody(client_of: Callable[[str | None], FlaskClient]) -> FlaskClient:
    """Somebody without a token."""
    return client_of(None)
