"""An installer at work: in a container or as a process, with limits on its time and its bytes, and nothing of ours.

It is started like an attempt of a run, under the number of its installation and with the attempt 0. So it is found and
removed as any leftover is when the agent that began it is gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.errors import BackendFailed, Superseded, Unavailable
from app.executors.base import INSTALLER_ATTEMPT, Code, Executor, Limits, Observation, Phase, RunRequest, StopMode
from app.models.tool import Profile, Tool
from app.repositories.code_folders import CODE, ENVIRONMENT, TEMPORARY
from app.repositories.installations import InstallationRepository
from app.services.agent_context import AgentContext
from app.services.capacity import full_disk
from app.services.images import note_image
from app.services.installations_code import folders_of

log = logging.getLogger(__name__)
LOG_BYTES = 16 * 2**10
_LOOK_SECONDS = 1.0


class GivenUp(Exception):
    """Nobody wants this installation any more."""


@dataclass(frozen=True)
class Work:
    """One attempt to install a tool: its fencing number, the backend, and the commit that is installed."""

    tool: Tool
    number: int
    backend: str
    commit: str = ""


def run_step(context: AgentContext, work: Work, words: tuple[str, ...], what: str, *, is_ours: bool = False) -> None:
    """Run one step of an installation to its end; ``what`` names it in messages.

    ``words`` are an interpreter, a script of the tool's code and arguments, or, with ``is_ours``, a command of ours.

    Raises:
        GivenUp: the installation was called off.
        BackendFailed: it failed, took too long, or wrote too much.
        Superseded: this agent's term of office is over.
        Unavailable: the backend does not answer.
    """
    executor = context.executors[work.backend]
    request = _request(context, work, words, is_ours=is_ours)
    too_full = full_disk(context, context.settings.limits.disk_pull_percent)
    request = executor.prepare(replace(request, may_fetch=too_full is None))
    note_image(context, request)
    handle = executor.create(request)
    try:
        executor.start(handle)
        seen = _watched(context, work, executor, handle, what)
        _store_log(context, work, executor, handle)
    finally:
        _clear_away(executor, handle)
    if seen.exit_code != 0:
        raise BackendFailed(_ending(what, seen))


def _request(context: AgentContext, work: Work, words: tuple[str, ...], *, is_ours: bool) -> RunRequest:
    tool, limits = work.tool, context.settings.limits
    place = folders_of(context).place(tool.name, work.number)
    environment = place / ENVIRONMENT
    code = Code(
        folder=str(place / CODE),
        commit=work.commit,
        environment_dir=str(environment) if environment.is_dir() else "",
        is_writable=True,
    )
    return RunRequest(
        run_id=work.number,
        attempt=INSTALLER_ATTEMPT,
        node=context.node,
        installation=context.installation,
        tool=tool.name,
        image=tool.image,
        limits=Limits(
            memory_mb=tool.memory_mb or limits.memory_mb,
            cpus=tool.cpus or limits.cpus,
            pids=tool.pids or limits.pids,
            timeout_seconds=limits.install_seconds,
        ),
        command=words,
        env=_variables(work, str(place / TEMPORARY)),
        network=tool.network,
        profile=Profile(tool.profile),
        code=None if is_ours else code,
    )


def _variables(work: Work, temporary: str) -> dict[str, str]:
    ours = {"MAO_TOOL": work.tool.name, "MAO_COMMIT": work.commit}
    # A container has folders of its own for these.
    return ours if work.backend == "docker" else {**ours, "HOME": temporary, "TMPDIR": temporary}


def _watched(context: AgentContext, work: Work, executor: Executor, handle: str, what: str) -> Observation:
    """Wait for the end of a step, and end it where it must not go on."""
    limits, folders = context.settings.limits, folders_of(context)
    end = time.monotonic() + limits.install_seconds
    while True:
        seen = executor.wait(handle, _LOOK_SECONDS)
        if seen.phase in (Phase.ENDED, Phase.GONE):
            return seen
        if context.lost.is_set():
            raise Superseded("This agent's term of office is over.")
        if not _store_log(context, work, executor, handle):
            raise GivenUp
        if time.monotonic() > end:
            raise BackendFailed(f"{what} took more than {limits.install_seconds} seconds.")
        if folders.size_bytes(work.tool.name, work.number) + executor.size(handle) > limits.install_bytes:
            raise BackendFailed(f"{what} wrote more than {limits.install_bytes} bytes.")


def _store_log(context: AgentContext, work: Work, executor: Executor, handle: str) -> bool:
    """Store the end of what was printed; give whether the installation is still wanted."""
    text = executor.tail(handle, LOG_BYTES).decode("utf-8", errors="replace").replace("\0", "\ufffd")
    with context.database.transaction() as session:
        return InstallationRepository(session).change(work.tool.name, work.number, log=text)


def _clear_away(executor: Executor, handle: str) -> None:
    # What cannot be removed now is a leftover, and the sweep for those comes by in a few seconds.
    actions: tuple[Callable[[], None], ...] = (
        lambda: executor.stop(handle, StopMode.FORCE, 0),
        lambda: executor.remove(handle),
    )
    for action in actions:
        try:
            action()
        except (Unavailable, BackendFailed) as error:
            log.warning("An installer is left for the sweep: %s", error.message)


def _ending(what: str, seen: Observation) -> str:
    if seen.phase is Phase.GONE:
        return f"{what} is gone, and nothing shows how it ended."
    if seen.is_oom:
        return f"{what} ran out of memory."
    return f"{what} ended with exit code {seen.exit_code}."
