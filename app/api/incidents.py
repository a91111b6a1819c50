"""Incidents, and what people decide about the numbers behind them."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page
from app.api.schemas.incidents import (
    DecisionPage,
    DecisionQuery,
    DecisionSchema,
    IncidentPage,
    IncidentQuery,
    NewDecision,
    Undoing,
)
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("incidents", __name__, url_prefix="/api", description="When data looked wrong or did not come.")
READERS = (Permission.JOB_RUN_READ, Permission.JOB_RUN_READ_ANY)
EXAMPLE = {"kind": "accept", "metric": "control", "why": "The crawler covers a new region since March."}


@blueprint.route("/incidents")
@requires(*READERS)
@blueprint.arguments(IncidentQuery, location="query")
@blueprint.response(200, IncidentPage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_incidents(query: dict[str, Any]) -> Any:
    """List the incidents of this node's tools, newest first."""
    after, size = query.pop("cursor"), query.pop("limit")
    return page(
        lambda last, limit: services().incidents.list(after=last, limit=limit, **query),
        after,
        size,
        key=lambda incident: incident.id,
    )


@blueprint.route("/tools/<name>/decisions")
@requires(*READERS)
@blueprint.arguments(DecisionQuery, location="query")
@blueprint.response(200, DecisionPage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_decisions(query: dict[str, Any], name: str) -> Any:
    """List what was decided about a tool's numbers, newest first, undone decisions included."""
    return page(
        lambda last, limit: services().decisions.list_of(name, after=last, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda view: view.decision.id,
    )


@blueprint.route("/tools/<name>/decisions", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NewDecision, example=EXAMPLE)
@blueprint.response(201, DecisionSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def decide(values: dict[str, Any], name: str) -> Any:
    """Say that numbers of a tool are right or wrong, or that nobody is to be told of its incidents for a while.

    `accept` is about the flagged points at the end of each series, `reject` about those of the newest run, unless
    `metric`, `runId`, `since` or `points` says otherwise. A tool that was removed can be decided about while it has
    points.
    """
    return services().decisions.decide(identity(), name, values)


@blueprint.route("/tools/<name>/decisions/<row:decision_id>/undo", methods=["POST"])
@requires(Permission.DATASET_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(Undoing)
@blueprint.response(200, DecisionSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def undo_decision(values: dict[str, Any], name: str, decision_id: int) -> Any:
    """Take a decision back: its points stand as verdicts and the decisions that are left make them stand.

    The decision stays in the list, with who undid it. An incident that it closed stays closed.
    """
    return services().decisions.undo(identity(), name, decision_id, values["why"])
