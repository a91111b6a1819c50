"""From a run of an installed definition tool to the script that is started."""

from __future__ import annotations

from app.errors import BackendFailed, Invalid
from app.executors.base import Code
from app.models.definition import Definition
from app.models.installation import Installation
from app.models.run import Run
from app.repositories.code_folders import CODE, ENVIRONMENT, CodeFolders
from app.repositories.installations import InstallationRepository
from app.services.agent_context import AgentContext
from app.services.definitions_commands import check_arguments, command_named, in_one_line, usable_definition


def folders_of(context: AgentContext) -> CodeFolders:
    """Give the folders of the installed tools."""
    return CodeFolders(context.settings.git, context.settings.working_environment.toolsdir)


def code_of(context: AgentContext, run: Run) -> tuple[Code, list[str]] | None:
    """Give the code that a run is about, as it is installed now, and the words that start its script.

    None for a run that has a command of its own. A replay wants the very commit that the first run used.

    Raises:
        BackendFailed: the tool is not installed any more, or what is installed now has no such command.
    """
    name = run.parameters.get("command_name")
    if name is None:
        return None
    with context.database.transaction() as session:
        row = InstallationRepository(session).find(run.tool)
    definition = usable_definition(row)
    if row is None or definition is None:
        raise BackendFailed(
            f"The tool '{run.tool}' is not installed on this node.",
            hint=f"Install it with: maoctl tool install {run.tool}",
        )
    if run.replay_of is not None and run.definition_commit not in (None, row.commit):
        raise BackendFailed(
            f"The run used the tool '{run.tool}' at the commit {run.definition_commit}; {row.commit} is installed now.",
            hint=f"Install that one with: maoctl tool install {run.tool} --commit {run.definition_commit}",
        )
    return _code(context, run, row), _words(run, definition)


def _words(run: Run, definition: Definition) -> list[str]:
    arguments = run.parameters.get("arguments") or []
    try:
        command = command_named(definition, run.parameters["command_name"])
        check_arguments(command, arguments)
    except Invalid as error:
        # It fitted when the run was submitted; the tool was updated since.
        raise BackendFailed(in_one_line(error)) from error
    return [command.step.interpreter, command.step.script, *arguments]


def _code(context: AgentContext, run: Run, row: Installation) -> Code:
    place = folders_of(context).place(run.tool, row.current or 0)
    environment = place / ENVIRONMENT
    return Code(
        folder=str(place / CODE),
        commit=row.commit or "",
        data_place=Definition.from_dict(row.definition or {}).folder_for_data,
        environment_dir=str(environment) if environment.is_dir() else "",
    )
