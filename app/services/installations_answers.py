"""The agent's answers about definitions that are not installed: they are looked at and not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.errors import BackendFailed, RemoteDown
from app.models.definition import Definition
from app.models.tool import Tool
from app.repositories.git_code import Checkout
from app.services.agent_context import AgentContext
from app.services.definitions_repository import definition_of
from app.services.installations_code import folders_of
from app.services.installations_work import needs_environment
from app.services.plans import backend_for, data_of


def definition_at(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the definition at a git address, and its commit."""
    with _looked_at(context, body["url"], body["branch"]) as checkout:
        return {"url": body["url"], "commit": checkout.commit, "definition": definition_of(checkout).to_dict()}


def installation_check(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give what installing a tool would do, having looked at all that can be looked at beforehand."""
    tool = Tool.from_dict(dict(body["tool"]))
    backend = backend_for(tool, tool.labels, list(context.executors))
    context.executors[backend].ping()
    with _looked_at(context, tool.code_repo, body["branch"], body["commit"]) as checkout:
        definition, commit = definition_of(checkout, tool.name), checkout.commit
    steps = _steps(context, tool, definition, backend, commit)
    return {"commit": commit, "how": _how(backend), "definition": definition.to_dict(), "steps": steps}


@contextmanager
def _looked_at(context: AgentContext, url: str, branch: str, commit: str = "") -> Iterator[Checkout]:
    """Give the files at a git address for as long as the block lasts.

    Raises:
        BackendFailed: the server cannot be found, does not answer, or refuses. None of these is a reason to try again
            by itself: whoever looks may have mistyped the address, and is waiting.
    """
    try:
        with folders_of(context).looked_at(context.epoch, url, branch, commit) as checkout:
            yield checkout
    except RemoteDown as error:
        raise BackendFailed(error.message, cause="data_unavailable", hint=error.hint) from error


def _how(backend: str) -> str:
    return "container" if backend == "docker" else "process"


def _steps(context: AgentContext, tool: Tool, definition: Definition, backend: str, commit: str) -> list[str]:
    said = [f"Fetch {tool.code_repo} at {commit}."]
    if needs_environment(definition, backend):
        said.append("Make a Python of the tool's own (python3 -m venv).")
    if definition.installer is not None:
        where = f"in a container of {tool.image}" if backend == "docker" else "as a process of this node"
        said.append(f"Run {definition.installer.interpreter} {definition.installer.script} {where}.")
    dataset = data_of(context.registry, tool)
    if dataset is not None:
        said.append(f"Clone {dataset.url} as '{dataset.name}'.")
    commands = ", ".join(command.name for command in definition.commands)
    return [*said, f"Offer the commands: {commands}."]
