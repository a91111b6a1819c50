"""Comparing two snapshots of a data set."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.schemas.comparisons import ComparisonQuery, ComparisonSchema
from app.api.security import requires

blueprint = Blueprint(
    "comparisons", __name__, url_prefix="/api/datasets", description="What differs between two snapshots."
)


@blueprint.route("/<name>/compare")
@requires()
@blueprint.arguments(ComparisonQuery, location="query")
@blueprint.response(200, ComparisonSchema)
@blueprint.alt_response(202, "ACCEPTED", success=True)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(502, "BAD_GATEWAY")
def compare_snapshots(query: dict[str, Any], name: str) -> Any:
    """Compare two snapshots of a data set's clone on this node: rows, cells and columns of tables, bytes of the rest.

    The agent compares; 202 says that it is at work, and whoever asks again gets the answer.
    """
    return services().comparisons.compare(name, **query)
