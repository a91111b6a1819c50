"""From a run of an installed definition tool to the script that is started."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import BackendFailed, Invalid
from app.executors.base import Code
from app.models.definition import Definition
from app.models.run import Run
from app.repositories.code_folders import CODE, ENVIRONMENT, CodeFolders
from app.repositories.installations import InstallationRepository
from app.services.agent_context import AgentContext
from app.services.definitions_commands import check_arguments, command_named, in_one_line, usable_definition


def folders_of(context: AgentContext) -> CodeFolders:
    """Give the folders of the installed tools."""
    return CodeFolders(context.settings.git, context.settings.working_environment.toolsdir)


@dataclass(frozen=True)
class Installed:
    """Code that can be used: the number of its folder, its commit and its definition."""

    number: int
    commit: str
    definition: Definition


def code_of(context: AgentContext, run: Run) -> tuple[Code, list[str]] | None:
    """Give the code that a run is about, and the words that start its script; None for a run with a command of its own.

    It is what is installed now, and for a run that has begun before, the very commit that it began with. A replay wants
    that of the first run.

    Raises:
        BackendFailed: the tool, or that commit of it, is not installed any more, or it has no such command.
    """
    if run.parameters.get("command_name") is None:
        return None
    installed = _installed(context, run)
    return _code(context, run, installed), _words(run, installed.definition)


def _installed(context: AgentContext, run: Run) -> Installed:
    with context.database.transaction() as session:
        row = InstallationRepository(session).find(run.tool)
    definition = usable_definition(row)
    if row is None or definition is None:
        raise BackendFailed(
            f"The tool '{run.tool}' is not installed on this node.",
            hint=f"Install it with: maoctl tool install {run.tool}",
        )
    if run.definition_commit in (None, row.commit):
        return Installed(row.current or 0, row.commit or "", definition)
    if kept := _replaced(context, run.tool, run.definition_commit or ""):
        return kept
    raise BackendFailed(
        f"The run used the tool '{run.tool}' at the commit {run.definition_commit}; {row.commit} is installed now.",
        hint=f"Install that one with: maoctl tool install {run.tool} --commit {run.definition_commit}",
    )


def _replaced(context: AgentContext, name: str, commit: str) -> Installed | None:
    """Give code that was replaced by an update and is kept for the runs that have begun with it."""
    folders = folders_of(context)
    for number in sorted(folders.numbers().get(name, ()), reverse=True):
        if values := folders.definition_at(name, number, commit):
            return Installed(number, commit, Definition.from_dict(values))
    return None


def _words(run: Run, definition: Definition) -> list[str]:
    arguments = run.parameters.get("arguments") or []
    try:
        command = command_named(definition, run.parameters["command_name"])
        check_arguments(command, arguments)
    except Invalid as error:
        # It fitted when the run was submitted; the tool was updated since.
        raise BackendFailed(in_one_line(error)) from error
    return [command.step.interpreter, command.step.script, *arguments]


def _code(context: AgentContext, run: Run, installed: Installed) -> Code:
    place = folders_of(context).place(run.tool, installed.number)
    environment = place / ENVIRONMENT
    return Code(
        folder=str(place / CODE),
        commit=installed.commit,
        data_place=installed.definition.folder_for_data,
        environment_dir=str(environment) if environment.is_dir() else "",
    )
