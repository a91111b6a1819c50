"""Is this process alive, and can the product do its work?"""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.errors import RETRY_AFTER_SECONDS
from app.api.schemas.health import Alive, Readiness
from app.api.security import public, requires

blueprint = Blueprint("health", __name__, description="Alive and ready.")


@blueprint.route("/healthz")
@public
@blueprint.response(200, Alive)
def is_alive() -> Any:
    """Tell that this process answers; asks no other system."""
    return {"status": "alive"}


@blueprint.route("/readyz")
@requires(is_open_in_outage=True)
@blueprint.response(200, Readiness)
@blueprint.alt_response(503, schema=Readiness, description="At least one system is down.", success=True)
def is_ready() -> Any:
    """Tell which systems answer: PostgreSQL, etcd, the agent, and Docker as the agent sees it.

    While PostgreSQL is down no token can be checked; then any token will do here.
    """
    systems = {name: {"is_up": is_up, "detail": detail} for name, (is_up, detail) in services().health.check().items()}
    is_ready = all(system["is_up"] for system in systems.values())
    if is_ready:
        return {"status": "ready", "systems": systems}
    return {"status": "not ready", "systems": systems}, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
