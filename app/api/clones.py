"""Local clones of data sets: asked for here, made by the agent."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.schemas.base import NoBody, PageQuery
from app.api.schemas.datasets import ClonePage, CloneSchema, RemovalQuery
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("clones", __name__, url_prefix="/api", description="The clones on this node.")


@blueprint.route("/clones")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ClonePage)
def list_clones(query: dict[str, Any]) -> Any:
    """List the local clones, in the order of their names."""
    return page(
        lambda after, limit: services().clones.list(after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda clone: clone.name,
    )


@blueprint.route("/datasets/<name>/clone", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, CloneSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def request_clone(_: dict[str, Any], name: str) -> Any:
    """Ask for a local clone of a data set, or for its newest state where there is one."""
    dataset, _revision = services().datasets.get(name)
    return services().clones.request(dataset), {"Location": url_for("clones.get_clone", name=name)}


@blueprint.route("/datasets/<name>/clone")
@requires()
@blueprint.response(200, CloneSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_clone(name: str) -> Any:
    """Show the local clone of a data set, and how far its making has come."""
    return services().clones.get(name)


@blueprint.route("/datasets/<name>/clone", methods=["DELETE"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(RemovalQuery, location="query")
@blueprint.response(202, CloneSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def remove_clone(query: dict[str, Any], name: str) -> Any:
    """Ask for the removal of a local clone.

    Once it is removed, showing it gives 404. If it holds data that is nowhere else, it is kept and says so.
    """
    return services().clones.request_removal(name, is_forced=query["force"])
