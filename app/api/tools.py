"""Tools: the registry, and running one."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.idempotency import IDEMPOTENCY_KEY, idempotency_key
from app.api.pages import page
from app.api.revisions import ETAG, IF_MATCH, etag, if_match
from app.api.schemas.base import PageQuery
from app.api.schemas.runs import NewToolRun, Submitted
from app.api.schemas.tools import EXAMPLE, NewTool, ToolChange, ToolEntry, ToolPage
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("tools", __name__, url_prefix="/api/tools", description="The registry of tools.")
WRITERS = (Permission.REGISTRY_WRITE, Permission.REGISTRY_ADMIN)


@blueprint.route("")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ToolPage)
def list_tools(query: dict[str, Any]) -> Any:
    """List the tools, in the order of their names."""
    return page(
        lambda after, limit: [tool for tool, _ in services().tools.list(after=after, limit=limit)],
        query["cursor"],
        query["limit"],
        key=lambda tool: tool.name,
    )


@blueprint.route("", methods=["POST"])
@requires(*WRITERS)
@blueprint.arguments(NewTool, example=EXAMPLE)
@blueprint.response(201, ToolEntry, headers=ETAG)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(parameters=[IF_MATCH])
def add_tool(values: dict[str, Any]) -> Any:
    """Register a tool for this node.

    A name that is taken is refused with 409, unless If-Match names the revision of the entry to be replaced.
    """
    tool, revision = services().tools.register(identity(), values, if_match())
    return tool, {**etag(revision), "Location": url_for("tools.get_tool", name=tool.name)}


@blueprint.route("/<name>")
@requires()
@blueprint.response(200, ToolEntry, headers=ETAG)
@blueprint.alt_response(404, "NOT_FOUND")
def get_tool(name: str) -> Any:
    """Show a tool."""
    tool, revision = services().tools.get(name)
    return tool, etag(revision)


@blueprint.route("/<name>", methods=["PUT"])
@requires(*WRITERS)
@blueprint.arguments(ToolChange, example=EXAMPLE)
@blueprint.response(200, ToolEntry, headers=ETAG)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(412, "PRECONDITION_FAILED")
@blueprint.alt_response(428, "PRECONDITION_REQUIRED")
@blueprint.doc(parameters=[{**IF_MATCH, "required": True}])
def replace_tool(values: dict[str, Any], name: str) -> Any:
    """Replace a tool's entry.

    The whole entry is replaced; a key that is left out gets its default.
    """
    tool, revision = services().tools.update(identity(), name, values, if_match())
    return tool, etag(revision)


@blueprint.route("/<name>", methods=["DELETE"])
@requires(*WRITERS)
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(412, "PRECONDITION_FAILED")
@blueprint.doc(parameters=[IF_MATCH])
def remove_tool(name: str) -> None:
    """Remove a tool from the registry; its runs and its data stay. It must not be installed on this node."""
    services().tools.remove(identity(), name, if_match())


@blueprint.route("/<name>/runs", methods=["POST"])
@requires(Permission.JOB_SUBMIT, changes=Changes.POSTGRES)
@blueprint.arguments(NewToolRun, required=False, example={"publish": "none", "timeoutSeconds": 600})
@blueprint.response(202, Submitted)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def run_tool(values: dict[str, Any], name: str) -> Any:
    """Run a tool now."""
    run_id = services().submissions.submit(identity(), name, values, key=idempotency_key())
    return {"run_id": run_id}, {"Location": url_for("runs.get_run", run_id=run_id)}
