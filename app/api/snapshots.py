"""Snapshots of the clones on this node."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.schemas.snapshots import SnapshotPage, SnapshotQuery, place
from app.api.security import requires

blueprint = Blueprint(
    "snapshots", __name__, url_prefix="/api/datasets", description="What the commits of data sets brought."
)


@blueprint.route("/<name>/snapshots")
@requires()
@blueprint.arguments(SnapshotQuery, location="query")
@blueprint.response(200, SnapshotPage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_snapshots(query: dict[str, Any], name: str) -> Any:
    """List the snapshots of a data set's clone on this node, newest first.

    A tool whose entry has a raw address as its data repository has its clone under its own name.
    """
    after, size = query.pop("cursor"), query.pop("limit")
    # Asked first: what is complete now is complete on the page, too.
    is_complete = services().snapshots.is_complete(name)
    fetch = partial(services().snapshots.list, name, query)
    return {**page(fetch, after, size, key=place), "is_complete": is_complete}
