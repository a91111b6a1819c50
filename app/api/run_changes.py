"""Runs that exist already: start, submit again, refresh, resolve."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.idempotency import IDEMPOTENCY_KEY, idempotency_key
from app.api.schemas.base import NoBody
from app.api.schemas.run_changes import Resolution, Resubmission
from app.api.schemas.runs import RunSchema, Submitted
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("run_changes", __name__, url_prefix="/api/runs", description="Changes of runs.")


@blueprint.route("/<row:run_id>/start", methods=["POST"])
@requires(Permission.JOB_RUN_MANUAL_START, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def start_run(_: dict[str, Any], run_id: int) -> Any:
    """Start a run that was submitted with a manual start."""
    return services().run_changes.start(identity(), run_id)


@blueprint.route("/<row:run_id>/resubmit", methods=["POST"])
@requires(Permission.JOB_RUN_RESUBMIT, changes=Changes.POSTGRES)
@blueprint.arguments(Resubmission, required=False, example={"parameters": {"timeoutSeconds": 7200}})
@blueprint.response(202, Submitted)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(410, "GONE")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def resubmit_run(values: dict[str, Any], run_id: int) -> Any:
    """Submit a run that is over again, as a new run.

    Its `parentId` is the first run of the chain. The tool's entry is read anew.
    """
    changes = {**values.pop("parameters", {}), **values}
    made = services().submissions.resubmit(identity(), run_id, changes, key=idempotency_key())
    return {"run_id": made}, {"Location": url_for("runs.get_run", run_id=made)}


@blueprint.route("/<row:run_id>/refresh", methods=["POST"])
@requires(Permission.JOB_RUN_REFRESH, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def refresh_run(_: dict[str, Any], run_id: int) -> Any:
    """Ask the agent to look at a run and its backend now; shows the run as it is before that."""
    return services().run_changes.refresh(identity(), run_id)


@blueprint.route("/<row:run_id>/resolve", methods=["POST"])
@requires(Permission.JOB_RUN_RESOLVE, changes=Changes.POSTGRES)
@blueprint.arguments(Resolution, example={"status": "FAILED", "reason": "The file of that day is cut short."})
@blueprint.response(200, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def resolve_run(values: dict[str, Any], run_id: int) -> Any:
    """Say how a run in doubt went.

    `SUCCEDED`, an older spelling, is understood. The files of the run stay where they are.
    """
    return services().run_changes.resolve(identity(), run_id, values["status"], values["reason"])
