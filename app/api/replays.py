"""Runs that repeat others, and what they and git show of a run's data."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.idempotency import IDEMPOTENCY_KEY, idempotency_key
from app.api.schemas.base import NoBody
from app.api.schemas.replays import VerificationQuery, VerificationSchema
from app.api.schemas.runs import Submitted
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("replays", __name__, url_prefix="/api/runs", description="Replays and verifications of runs.")


@blueprint.route("/<row:run_id>/replay", methods=["POST"])
@requires(Permission.JOB_RUN_RESUBMIT, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, Submitted)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(410, "GONE")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def replay_run(_: dict[str, Any], run_id: int) -> Any:
    """Repeat a run that is over: the same image by its digest, the same data, the same arguments.

    The replay works in a folder of its own, publishes nothing and is not judged.
    """
    made = services().replays.replay(identity(), run_id, key=idempotency_key())
    return {"run_id": made}, {"Location": url_for("runs.get_run", run_id=made)}


@blueprint.route("/<row:run_id>/verification")
@requires(Permission.JOB_RUN_READ, Permission.JOB_RUN_READ_ANY)
@blueprint.arguments(VerificationQuery, location="query")
@blueprint.response(200, VerificationSchema)
@blueprint.alt_response(202, "ACCEPTED", success=True)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(502, "BAD_GATEWAY")
def verify_run(query: dict[str, Any], run_id: int) -> Any:
    """Compare what a run wrote with the data as they are now, and with what its newest replay wrote."""
    return services().verifications.verify(identity(), run_id, query["replay"])
