"""HTTP and only HTTP: requests in, service calls, answers out."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app import __version__
from app.api import (
    audit_log,
    clones,
    comparisons,
    context,
    converters,
    datasets,
    docs,
    errors,
    files,
    guard,
    health,
    incidents,
    index,
    installations,
    jobs,
    locks,
    metrics,
    notifications,
    origins,
    passports,
    quarantines,
    replays,
    run_changes,
    runs,
    search,
    security,
    snapshots,
    tokens,
    tool_metrics,
    tools,
    webhooks,
)

BLUEPRINTS = (
    tools.blueprint,
    installations.blueprint,
    runs.blueprint,
    run_changes.blueprint,
    quarantines.blueprint,
    passports.blueprint,
    replays.blueprint,
    search.blueprint,
    files.blueprint,
    webhooks.blueprint,
    jobs.blueprint,
    datasets.blueprint,
    clones.blueprint,
    origins.blueprint,
    snapshots.blueprint,
    comparisons.blueprint,
    index.blueprint,
    locks.blueprint,
    notifications.blueprint,
    incidents.blueprint,
    tokens.blueprint,
    audit_log.blueprint,
    health.blueprint,
    metrics.blueprint,
    tool_metrics.blueprint,
)
DESCRIPTION = """Register tools, run them now or on a schedule, and find out the same day that their data went wrong.

Every call needs a token, as `X-Api-Token` or as `Authorization: Bearer`. Times are ISO 8601 with a zone. Lists come in
pages: `next` is the `cursor` of the page that follows. An argument or a field that is not described here is refused.
Each answer has an `X-Request-Id`; the log has the same."""


def install(app: Flask) -> None:
    """Put the whole API into a Flask application: guard, errors, resources and their description."""
    app.config.update(
        API_TITLE="MAO Orchestrator",
        API_VERSION=f"v{__version__}",
        OPENAPI_VERSION="3.0.3",
        API_SPEC_OPTIONS=_spec_options(),
    )
    app.url_map.converters["row"] = converters.RowConverter
    guard.install(app)
    api = errors.Api(app)
    for name, scheme in security.SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.extensions[context.DESCRIPTION] = api.spec
    app.register_blueprint(docs.blueprint)


def _spec_options() -> dict[str, Any]:
    return {
        "info": {"description": DESCRIPTION},
        "security": [{name: []} for name in security.SCHEMES],
    }
