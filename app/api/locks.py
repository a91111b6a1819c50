"""Locks that runs hold."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page
from app.api.schemas.base import PageQuery
from app.api.schemas.locks import LockPage
from app.api.security import requires
from app.models.token import Permission

blueprint = Blueprint("locks", __name__, url_prefix="/api/locks", description="What runs of all nodes hold.")


@blueprint.route("")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, LockPage)
def list_locks(query: dict[str, Any]) -> Any:
    """List the locks of all nodes, with the run that holds each."""
    return page(
        lambda after, limit: services().locks.list(after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda lock: lock.key,
    )


@blueprint.route("/<key>", methods=["DELETE"])
@requires(Permission.NODE_WRITE)
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def break_lock(key: str) -> None:
    """Break a lock: the next run gets it, while the one that held it goes on with a warning.

    The locks of a node that is dead become free by themselves.
    """
    services().locks.break_lock(identity(), key)
