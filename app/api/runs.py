"""Runs: submit, list, show, wait, stop, read."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.idempotency import IDEMPOTENCY_KEY, idempotency_key
from app.api.output import answer_output
from app.api.pages import page, place
from app.api.schemas.run_changes import AttemptList
from app.api.schemas.runs import (
    EventList,
    NewRun,
    OutputQuery,
    ReportSchema,
    RunPage,
    RunQuery,
    RunSchema,
    StopQuery,
    Submitted,
    WaitQuery,
)
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("runs", __name__, url_prefix="/api/runs", description="Runs of tools.")
READERS = (Permission.JOB_RUN_READ, Permission.JOB_RUN_READ_ANY)
EXAMPLE = {"jobSpec": {"tool": "spike", "publish": "none"}}
OUTPUT_FORMS = {
    "text/plain": {"schema": {"type": "string", "format": "binary"}},
    "text/event-stream": {
        "schema": {"type": "object", "properties": {word: {"type": "string"} for word in ("id", "event", "data")}}
    },
}
OUTPUT_HEADERS = {
    "X-Next-Offset": {"description": "Where to read on.", "schema": {"type": "integer"}},
    "X-Cut": {
        "description": "The numbers of the bytes that were not kept, as first-last; several with commas.",
        "schema": {"type": "string", "example": "66060288-70000000"},
    },
}


@blueprint.route("", methods=["POST"])
@requires(Permission.JOB_SUBMIT, changes=Changes.POSTGRES)
@blueprint.arguments(NewRun, example=EXAMPLE)
@blueprint.response(202, Submitted)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def submit_run(values: dict[str, Any]) -> Any:
    """Submit a run."""
    spec = values["job_spec"]
    run_id = services().submissions.submit(identity(), spec.pop("tool"), spec, key=idempotency_key())
    return {"run_id": run_id}, {"Location": url_for("runs.get_run", run_id=run_id)}


@blueprint.route("")
@requires(*READERS, Permission.JOB_RUN_SEARCH)
@blueprint.arguments(RunQuery, location="query")
@blueprint.response(200, RunPage)
def list_runs(query: dict[str, Any]) -> Any:
    """List runs, newest first.

    A token without `job_run_read_any` sees the runs of its owner.
    """
    after, size, status = query.pop("cursor"), query.pop("limit"), query.pop("status")
    wanted = {**query, "states": None if status is None else [status]}
    return page(partial(services().runs.search, identity(), wanted), after, size, key=place)


@blueprint.route("/<row:run_id>")
@requires(*READERS)
@blueprint.response(200, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_run(run_id: int) -> Any:
    """Show a run."""
    return services().runs.get(identity(), run_id)


@blueprint.route("/<row:run_id>", methods=["DELETE"])
@requires(Permission.JOB_RUN_ABORT, Permission.JOB_RUN_ABORT_ANY, changes=Changes.POSTGRES)
@blueprint.arguments(StopQuery, location="query")
@blueprint.response(202, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def stop_run(query: dict[str, Any], run_id: int) -> Any:
    """Stop a run: politely first, by force after its grace period."""
    return services().runs.stop(identity(), run_id, is_forced=query["force"])


@blueprint.route("/<row:run_id>/wait")
@requires(*READERS)
@blueprint.arguments(WaitQuery, location="query")
@blueprint.response(200, RunSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def wait_for_run(query: dict[str, Any], run_id: int) -> Any:
    """Show a run as soon as it is final, or as it is when the time is over."""
    return services().runs.wait(identity(), run_id, query["timeout"])


@blueprint.route("/<row:run_id>/output.txt")
@requires(Permission.JOB_RUN_OUTPUT)
@blueprint.arguments(OutputQuery, location="query")
@blueprint.response(200, headers=OUTPUT_HEADERS)
@blueprint.doc(responses={"200": {"content": OUTPUT_FORMS}})
@blueprint.alt_response(206, content_type="text/plain", description="The part that Range asked for.", success=True)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(410, "GONE")
@blueprint.alt_response(416, "REQUESTED_RANGE_NOT_SATISFIABLE")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def get_output(query: dict[str, Any], run_id: int) -> Any:
    """Read what a run has printed: all of it, from a byte on, or the last lines.

    Ask again from `X-Next-Offset` on to follow a run that goes on, or have it told as server-sent events with
    `follow=true`.
    """
    return answer_output(services().outputs, identity(), run_id, **query)


@blueprint.route("/<row:run_id>/report")
@requires(*READERS)
@blueprint.response(200, ReportSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def get_report(run_id: int) -> Any:
    """Read the report of a run that is over."""
    return services().runs.report(identity(), run_id)


@blueprint.route("/<row:run_id>/events")
@requires(*READERS)
@blueprint.response(200, EventList)
@blueprint.alt_response(404, "NOT_FOUND")
def list_events(run_id: int) -> Any:
    """List a run's changes of state, oldest first."""
    return {"items": services().runs.events(identity(), run_id), "next": None}


@blueprint.route("/<row:run_id>/attempts")
@requires(*READERS)
@blueprint.response(200, AttemptList)
@blueprint.alt_response(404, "NOT_FOUND")
def list_attempts(run_id: int) -> Any:
    """List a run's attempts before the present one, oldest first."""
    return {"items": services().runs.attempts(identity(), run_id), "next": None}
