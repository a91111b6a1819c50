"""Which run last wrote a file of a data set."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.runs import READERS
from app.api.schemas.origins import OriginQuery, OriginSchema
from app.api.security import requires

blueprint = Blueprint("origins", __name__, url_prefix="/api/datasets", description="Which run last wrote a file.")


@blueprint.route("/<name>/origin")
@requires(*READERS)
@blueprint.arguments(OriginQuery, location="query")
@blueprint.response(200, OriginSchema)
@blueprint.alt_response(202, "ACCEPTED", success=True)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(502, "BAD_GATEWAY")
def get_origin(query: dict[str, Any], name: str) -> Any:
    """Show the newest commit that wrote a file of a data set's clone on this node, and the run that made it.

    The agent looks it up; 202 says that it is at work, and whoever asks again gets the answer.
    """
    return services().origins.find(identity(), name, query["path"])
