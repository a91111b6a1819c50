"""The index of snapshots, and clones that show one of them."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.schemas.base import PageQuery
from app.api.schemas.datasets import CloneSchema
from app.api.schemas.index import DatePage, HubPage, Retrieval, SnapshotPlacePage
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint(
    "index", __name__, url_prefix="/api/index", description="The snapshots that the federation has published."
)


@blueprint.route("/hubs")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, HubPage)
def list_hubs(query: dict[str, Any]) -> Any:
    """List the hubs that have snapshots."""
    return page(
        lambda after, limit: [{"hub": hub} for hub in services().index.hubs(after=after, limit=limit)],
        query["cursor"],
        query["limit"],
        key=lambda item: item["hub"],
    )


@blueprint.route("/<hub>/dates")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DatePage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_dates(query: dict[str, Any], hub: str) -> Any:
    """List the days of which a hub has snapshots, the oldest first."""
    return page(
        lambda after, limit: [{"date": date} for date in services().index.dates(hub, after=after, limit=limit)],
        query["cursor"],
        query["limit"],
        key=lambda item: item["date"],
    )


@blueprint.route("/<hub>/<date>/operators")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, SnapshotPlacePage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_operators(query: dict[str, Any], hub: str, date: str) -> Any:
    """List the snapshots of a hub and day, by operator and data set."""
    return page(
        lambda after, limit: services().index.snapshots(hub, date, after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda entry: f"{entry.operator}/{entry.dataset}",
    )


@blueprint.route("/<hub>/<date>/<operator>/<dataset>/clone", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(Retrieval, required=False)
@blueprint.response(202, CloneSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def retrieve(values: dict[str, Any], hub: str, date: str, operator: str, dataset: str) -> Any:
    """Ask for a clone that shows exactly the commit of a snapshot.

    It is listed and removed like any clone, but never refreshed, and no run works in it.
    """
    clone = services().index.retrieve(hub, date, operator, dataset, values.get("name"))
    return clone, {"Location": url_for("clones.get_clone", name=clone.name)}
