"""The agent's side of installations: install, update and remove definition tools as asked.

Each attempt has a number and a folder of that number, and fills it in peace. What makes it the tool's code is one
conditional UPDATE of the row, so a run finds the old code or the new one and nothing between. An attempt that is cut
short is begun anew under another number, and its folder goes with the next tidying.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from app.clock import utc_now
from app.errors import (
    BackendFailed,
    Conflict,
    DatabaseDown,
    DockerDown,
    Invalid,
    MaoError,
    RegistryDown,
    StorageFull,
    Superseded,
)
from app.models.definition import Definition
from app.models.installation import How, Installation, InstallationState
from app.models.tool import Tool
from app.repositories.code_folders import CODE, ENVIRONMENT
from app.repositories.installations import InstallationRepository
from app.services.agent_context import AgentContext
from app.services.clones import CloneService
from app.services.definitions import in_lines
from app.services.definitions_repository import definition_of, make_place_for_data, require_scripts
from app.services.installations_code import folders_of
from app.services.installations_running import GivenUp, Work, run_step
from app.services.plans import backend_for, data_of

log = logging.getLogger(__name__)
_S = InstallationState


def work_on_installations(context: AgentContext) -> None:
    """Do everything that is asked for, one tool after the other, and clear away what is not needed any more."""
    with context.database.transaction() as session:
        wanted = InstallationRepository(session).wanted()
    for row in wanted:
        if row.state == _S.REMOVING:
            _remove(context, row.name)
        else:
            _install(context, row.name)
    tidy(context)


def tidy(context: AgentContext) -> None:
    """Remove the folders of attempts that nothing needs: interrupted, failed and replaced ones, and what was looked at.

    A folder that was replaced stays while a run of the tool is held, which may use it.
    """
    folders = folders_of(context)
    folders.remove_looks(context.epoch)
    for name, numbers in folders.numbers().items():
        with context.database.transaction() as session:
            rows = InstallationRepository(session)
            # The runs first: one that begins afterwards uses what is kept.
            is_in_use, kept = bool(rows.unfinished_runs(name, is_held=True)), rows.kept(name)
        for number in numbers - kept:
            if not is_in_use:
                folders.remove(name, number)
        folders.remove_empty(name)


def _remove(context: AgentContext, name: str) -> None:
    folders = folders_of(context)
    with context.database.transaction() as session:
        rows = InstallationRepository(session)
        if users := rows.unfinished_runs(name, is_held=True):
            rows.say(name, f"waits for the end of run {users[0]}")
            return
    for number in folders.numbers().get(name, ()):
        folders.remove(name, number)
    folders.remove_empty(name)
    with context.database.transaction() as session:
        InstallationRepository(session).remove(name)


def _install(context: AgentContext, name: str) -> None:
    """Install one tool as it is wished for now; whatever stands in the way is written into its row."""
    with context.database.transaction() as session:
        row = InstallationRepository(session).begin(name)
    if row is None or (number := row.number) is None:
        return
    try:
        tool, _ = context.registry.get_tool(name)
        backend = backend_for(tool, tool.labels, list(context.executors))
        context.executors[backend].ping()
        _do(context, row, Work(tool, number, backend))
    except (Superseded, DatabaseDown):
        raise
    except GivenUp:
        log.info("The installation of %s was called off.", name)
    except (RegistryDown, DockerDown, StorageFull) as error:
        _change(context, name, number, state=_S.REQUESTED, message=f"waiting: {error.message}")
    except MaoError as error:
        _fail(context, row, number, error)
    except Exception:
        log.exception("The tool %s could not be installed.", name)
        _fail(context, row, number, BackendFailed("The agent could not install it; its log says why."))


def _do(context: AgentContext, row: Installation, work: Work) -> None:
    folders, name = folders_of(context), work.tool.name
    checkout = folders.fetch(name, work.number, work.tool.code_repo, row.branch, row.wanted_commit)
    definition = definition_of(checkout, name)
    work = Work(work.tool, work.number, work.backend, checkout.commit)
    make_place_for_data(checkout.folder, definition)
    if needs_environment(definition, work.backend):
        _make_environment(context, work)
    if definition.installer is not None:
        folders.hand_over(name, work.number)
        step = definition.installer
        run_step(context, work, (step.interpreter, step.script), "The installer")
    folders.take_back(name, work.number)
    require_scripts(folders.place(name, work.number) / CODE, definition)
    folders.note_ready(name, work.number, work.commit, definition.to_dict())
    _settle(context, work, definition)
    _ask_for_data(context, work.tool)


def needs_environment(definition: Definition, backend: str) -> bool:
    """Tell whether the tool gets a Python of its own: where it is a process and one of its scripts is Python."""
    return backend == "process" and any(step.interpreter == "python3" for step in definition.steps)


def _make_environment(context: AgentContext, work: Work) -> None:
    place = folders_of(context).place(work.tool.name, work.number) / ENVIRONMENT
    try:
        run_step(context, work, ("python3", "-m", "venv", str(place)), "Making its own Python", is_ours=True)
    except BackendFailed as error:
        hint = "Install the packages 'python3' and 'python3-venv' on the node."
        raise BackendFailed(f"The tool cannot be given a Python of its own. {error.message}", hint=hint) from error


def _settle(context: AgentContext, work: Work, definition: Definition) -> None:
    """Let the new code be the tool's, at once and only where this attempt is still wanted."""
    how = How.CONTAINER if work.backend == "docker" else How.PROCESS
    _change(
        context,
        work.tool.name,
        work.number,
        state=_S.READY,
        current=work.number,
        code_url=work.tool.code_repo,
        commit=work.commit,
        definition=definition.to_dict(),
        how=how,
        message="",
        installed_at=utc_now(),
    )


def _fail(context: AgentContext, row: Installation, number: int, error: MaoError) -> None:
    """Write down why it failed; what was installed before can still be used."""
    log.warning("The tool %s could not be installed: %s", row.name, error.message)
    message = in_lines(error) if isinstance(error, Invalid) else error.message
    if error.hint:
        message = f"{message} {error.hint}"
    state = _S.FAILED if row.current is None else _S.READY
    _change(context, row.name, number, state=state, message=message)


def _ask_for_data(context: AgentContext, tool: Tool) -> None:
    """Let the tool's data be cloned, unless a run is at work in the clone and so has it."""
    with suppress(Conflict):
        dataset = data_of(context.registry, tool)
        if dataset is not None:
            CloneService(context.database).request(dataset)


def _change(context: AgentContext, name: str, number: int, **values: object) -> None:
    with context.database.transaction() as session:
        InstallationRepository(session).change(name, number, **values)
