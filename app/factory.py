"""The Flask application: settings and services in, an application out. Opens no connection and starts no thread."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app import api, wiring
from app.api.context import EXTENSION, Services
from app.settings import Settings, load


def create_app(settings: Settings | None = None, services: Services | None = None) -> Flask:
    """Build the application; what is not given is read from the settings of this process."""
    settings = settings or load()
    app = Flask("app", static_folder=None)
    app.config.update(_configuration(settings))
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = services or wiring.build(settings)
    api.install(app)
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "MAX_CONTENT_LENGTH": settings.limits.body_bytes,
        "FILE_BYTES": settings.limits.file_bytes,
        "IMPORTDIR": settings.working_environment.importdir,
        "SEND_FILE_MAX_AGE_DEFAULT": 3600,
    }
