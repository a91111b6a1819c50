"""What the words behind ``--`` are: a command of one's own, or what an installed definition tool's command is given."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from cli.bodies import run_parameters
from cli.client import Json
from cli.endpoints import Server
from cli.errors import Refused


def known_commands(server: Server, name: str) -> list[Json]:
    """Give the commands of an installed definition tool; none of any other."""
    try:
        return list(server.help_on_tool(name).get("commands", []))
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return []


def parameters_for(server: Server, name: str, **options: Any) -> Json:
    """Build a run's parameters as ``run_parameters`` does, where the tool ``name`` may be a definition tool.

    Of an installed one the words are arguments, also without a command's name: the server takes its only command, and
    names them all where there are several.
    """
    parameters = run_parameters(**options)
    if "command" in parameters and known_commands(server, name):
        parameters["arguments"] = parameters.pop("command")
    return parameters
