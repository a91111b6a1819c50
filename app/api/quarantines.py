"""Files of runs that were kept out of the data: promote or discard them."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.schemas.base import NoBody
from app.api.schemas.quarantines import Promotion
from app.api.schemas.runs import RunSchema
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("quarantines", __name__, url_prefix="/api/runs", description="Files kept out of the data.")


@blueprint.route("/<row:run_id>/promote", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(Promotion, required=False)
@blueprint.response(202, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def promote_run(values: dict[str, Any], run_id: int) -> Any:
    """Make the files that are kept of a run part of the data set.

    The agent does it: `quarantineState` is `promoting` until it is `promoted`, or `held` again with the reason in
    `quarantineMessage`. Those of a run that has not succeeded may be half written: without `force` they are refused.
    """
    return services().quarantines.promote(identity(), run_id, is_forced=values["is_forced"])


@blueprint.route("/<row:run_id>/discard", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def discard_run(_: dict[str, Any], run_id: int) -> Any:
    """Remove the files that are kept of a run for good.

    The agent does it: `quarantineState` is `discarding` until it is `discarded`.
    """
    return services().quarantines.discard(identity(), run_id)
