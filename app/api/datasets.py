"""Data sets: the registry."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page
from app.api.revisions import ETAG, IF_MATCH, etag, if_match
from app.api.schemas.base import PageQuery
from app.api.schemas.datasets import EXAMPLE, DatasetChange, DatasetEntry, DatasetPage, NewDataset
from app.api.security import requires
from app.models.token import Permission

blueprint = Blueprint("datasets", __name__, url_prefix="/api/datasets", description="The registry of data sets.")
WRITERS = (Permission.REGISTRY_WRITE, Permission.REGISTRY_ADMIN)


@blueprint.route("")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DatasetPage)
def list_datasets(query: dict[str, Any]) -> Any:
    """List the data sets, in the order of their names."""
    return page(
        lambda after, limit: [dataset for dataset, _ in services().datasets.list(after=after, limit=limit)],
        query["cursor"],
        query["limit"],
        key=lambda dataset: dataset.name,
    )


@blueprint.route("", methods=["POST"])
@requires(*WRITERS)
@blueprint.arguments(NewDataset, example=EXAMPLE)
@blueprint.response(201, DatasetEntry, headers=ETAG)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(parameters=[IF_MATCH])
def add_dataset(values: dict[str, Any]) -> Any:
    """Register a data set for this node.

    A name that is taken is refused with 409, unless If-Match names the revision of the entry to be replaced.
    """
    dataset, revision = services().datasets.register(identity(), values, if_match())
    return dataset, {**etag(revision), "Location": url_for("datasets.get_dataset", name=dataset.name)}


@blueprint.route("/<name>")
@requires()
@blueprint.response(200, DatasetEntry, headers=ETAG)
@blueprint.alt_response(404, "NOT_FOUND")
def get_dataset(name: str) -> Any:
    """Show a data set."""
    dataset, revision = services().datasets.get(name)
    return dataset, etag(revision)


@blueprint.route("/<name>", methods=["PUT"])
@requires(*WRITERS)
@blueprint.arguments(DatasetChange, example=EXAMPLE)
@blueprint.response(200, DatasetEntry, headers=ETAG)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(412, "PRECONDITION_FAILED")
@blueprint.alt_response(428, "PRECONDITION_REQUIRED")
@blueprint.doc(parameters=[{**IF_MATCH, "required": True}])
def replace_dataset(values: dict[str, Any], name: str) -> Any:
    """Replace a data set's entry.

    The whole entry is replaced; a key that is left out gets its default.
    """
    dataset, revision = services().datasets.update(identity(), name, values, if_match())
    return dataset, etag(revision)


@blueprint.route("/<name>", methods=["DELETE"])
@requires(*WRITERS)
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(412, "PRECONDITION_FAILED")
@blueprint.doc(parameters=[IF_MATCH])
def remove_dataset(name: str) -> None:
    """Remove a data set from the registry; its clones and its remote stay."""
    services().datasets.remove(identity(), name, if_match())
