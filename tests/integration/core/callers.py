"""People who call the API by HTTP, over a real database and a real etcd."""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.settings import Settings
from app.wiring import Services, build

MAKER = Identity("maker", "maker", frozenset(Permission))


class Callers:
    """An application, and clients of it that show a token each."""

    def __init__(self, settings: Settings) -> None:
        self.services: Services = build(settings)
        self.app: Flask = create_app(settings, self.services)

    def make(self, identifier: str, permissions: Collection[str], owner: str) -> FlaskClient:
        """Give somebody with a token of that name, owner and permissions."""
        _, secret = self.services.tokens.create(MAKER, identifier, permissions, owner)
        return self.showing(secret)

    def showing(self, secret: str | None, address: str = "127.0.0.1") -> FlaskClient:
        """Give somebody who shows that text as a token, from that address."""
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        if secret is not None:
            client.environ_base["HTTP_X_API_TOKEN"] = secret
        return client

    @property
    def database(self) -> Database:
        """The database of all services."""
        return self.services.tokens._database

    def close(self) -> None:
        """End the listening thread and close the connections."""
        self.services.close()
