"""Definition tools: asked for here, installed by the agent."""

from __future__ import annotations

from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.schemas.base import PageQuery
from app.api.schemas.installations import (
    DefinitionQuery,
    FoundDefinition,
    HelpSchema,
    InstallationPage,
    InstallationSchema,
    NewInstallation,
    RequestedInstallation,
)
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("installations", __name__, url_prefix="/api", description="Definition tools on this node.")


@blueprint.route("/definitions")
@requires(Permission.REGISTRY_WRITE)
@blueprint.arguments(DefinitionQuery, location="query")
@blueprint.response(200, FoundDefinition)
@blueprint.alt_response(202, "ACCEPTED")
@blueprint.alt_response(502, "BAD_GATEWAY")
def find_definition(query: dict[str, Any]) -> Any:
    """Show the definition of a tool that is at a git address.

    The agent reads it; 202 says that it is at work, and asking again gives the answer, as it is now.
    """
    return services().installations.definition(query["url"], query["branch"])


@blueprint.route("/installations")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, InstallationPage)
def list_installations(query: dict[str, Any]) -> Any:
    """List the definition tools that this node has installed, in the order of their names."""
    return page(
        lambda after, limit: services().installations.list(after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda installation: installation.name,
    )


@blueprint.route("/tools/<name>/installation", methods=["POST"])
@requires(Permission.NODE_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NewInstallation, required=False)
@blueprint.response(202, RequestedInstallation)
@blueprint.alt_response(200, schema=InstallationSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(502, "BAD_GATEWAY")
def request_installation(wish: dict[str, Any], name: str) -> Any:
    """Ask for the installation of a definition tool, or for its update.

    What is installed can be used until the new one is ready. With `dryRun` the answer is 200 and says what would
    happen; 202 with `Retry-After` says that the agent is still looking.
    """
    wanted = {"branch": wish["branch"], "commit": wish["commit"]}
    if wish["dry_run"]:
        return {"name": name, **services().installations.check(name, **wanted)}, 200
    place = url_for("installations.get_installation", name=name)
    return services().installations.request(name, **wanted), {"Location": place}


@blueprint.route("/tools/<name>/installation")
@requires()
@blueprint.response(200, InstallationSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_installation(name: str) -> Any:
    """Show what is installed of a definition tool, and how far its installation has come."""
    return services().installations.get(name)


@blueprint.route("/tools/<name>/installation", methods=["DELETE"])
@requires(Permission.NODE_WRITE, changes=Changes.POSTGRES)
@blueprint.response(202, InstallationSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def remove_installation(name: str) -> Any:
    """Ask for the removal of all that was installed of a tool; its data and its entry stay.

    Once it is removed, showing it gives 404.
    """
    return services().installations.request_removal(name)


@blueprint.route("/tools/<name>/help")
@requires()
@blueprint.response(200, HelpSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def help_on_tool(name: str) -> Any:
    """Show the commands of an installed tool, and what they take. This needs no agent."""
    definition, commit = services().installations.help(name)
    shown = {"name": name, "description": definition.description, "commands": definition.commands}
    return {**shown, "commit": commit}
