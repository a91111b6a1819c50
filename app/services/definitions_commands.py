"""Which command of an installed definition tool a run is about, and whether its arguments fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import Invalid, MaoError, nearest
from app.models.definition import Command, Definition
from app.models.installation import Installation
from app.models.tool import Tool
from app.repositories.database import Session
from app.repositories.installations import InstallationRepository


def usable_definition(installation: Installation | None) -> Definition | None:
    """Give the definition that is installed and can be used now, or None."""
    if installation is None or not installation.is_usable:
        return None
    return Definition.from_dict(installation.definition or {})


def chosen(session: Session, entry: Mapping[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Give a run's parameters with the command that it is about, where its tool is an installed definition tool.

    Raises:
        Invalid: there is no such command, its arguments do not fit, or the tool is not installed.
    """
    tool = Tool.from_dict(dict(entry))
    definition = usable_definition(InstallationRepository(session).find(tool.name))
    has_words = "command_name" in parameters or bool(parameters.get("arguments"))
    has_command = bool(parameters.get("command") or (tool.command and not has_words))
    if has_words and parameters.get("command"):
        rule = "Give either a command of the definition or one of your own."
        raise Invalid("The run has two commands.", fields={"commandName": [rule]})
    if definition is None:
        if has_words or not (has_command or tool.image):
            raise _not_installed(tool)
        return parameters
    if has_command:
        return parameters
    command = command_named(definition, parameters.get("command_name"))
    check_arguments(command, parameters.get("arguments") or [])
    return {**parameters, "command_name": command.name}


def in_one_line(error: MaoError) -> str:
    """Give an error with the rules that were broken, for a record that has one line for it."""
    rules = [rule for broken in error.fields.values() for rule in broken] if isinstance(error, Invalid) else []
    return " ".join([error.message, *rules])


def command_named(definition: Definition, name: str | None) -> Command:
    """Give the command of that name; without a name the only one that there is.

    Raises:
        Invalid: there is none, or there are several; the nearest is named.
    """
    names = [command.name for command in definition.commands]
    if name is None and len(names) == 1:
        return definition.commands[0]
    if name in names:
        return definition.commands[names.index(name)]
    known = f"It has: {', '.join(names)}."
    if name is None:
        rule = f"Must name one of several commands. {known}"
        raise Invalid(f"The tool '{definition.name}' has more than one command.", fields={"commandName": [rule]})
    rule = nearest(name, names) or known
    raise Invalid(f"The tool '{definition.name}' has no command '{name[:80]}'.", fields={"commandName": [rule]})


def check_arguments(command: Command, arguments: Sequence[str]) -> None:
    """Make sure that a command gets as many arguments as it has.

    Raises:
        Invalid: showing how it is called.
    """
    wanted, given = len(command.arguments), len(arguments)
    if given != wanted:
        rule = f"Must be {wanted} argument{'' if wanted == 1 else 's'}, not {given}. Usage: {command.usage}"
        raise Invalid(f"The arguments of the command '{command.name}' do not fit.", fields={"arguments": [rule]})


def _not_installed(tool: Tool) -> Invalid:
    if not tool.code_repo:
        return Invalid(
            f"The tool '{tool.name}' is an image, and not a definition tool with named commands.",
            fields={"commandName": ["Names a command of an installed tool."]},
            hint=f"Give it a command of your own with: maoctl tool run {tool.name} -- COMMAND ARG...",
        )
    return Invalid(
        f"The tool '{tool.name}' is not installed on this node.",
        fields={"commandName": ["Names a command of an installed tool."]},
        hint=f"Install it with: maoctl tool install {tool.name}",
    )
