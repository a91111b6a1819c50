"""Tools as plain processes of this machine, for tools without a container engine.

A tool is started by a small wrapper (``process_child``) that is detached from the agent and writes down how it ended,
so the agent may be killed at any time and finds everything in the attempt's folder. Memory is limited by address
space. Want of memory cannot be told from other failures, and neither the network nor the file system is confined.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from app.errors import BackendFailed, Unavailable
from app.executors import process_code, process_files, process_folder, process_tree, secret_folders
from app.executors.base import Leftover, Observation, Phase, RunRequest, StopMode, StoredImage, written_folder
from app.folders import disk_bytes, remove_folder
from app.models.run import Cause
from app.models.tool import Profile

_ROOT = Path(__file__).parents[2]
_HANDLE = re.compile(r"mao-[a-z0-9._-]+")
_MINIMAL = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108
_MEBIBYTE = 2**20
_CHUNK_BYTES = 64 * 1024
_PAUSE_SECONDS = 0.1
_START_SECONDS = 30
_KILL_SECONDS = 10


class ProcessExecutor:
    """Run tools as processes; ``folder`` gets one folder an attempt, readable by the agent's user only."""

    name = "process"
    can_stop = True
    can_stream = True
    can_attach = True
    gives_all_output = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, request: RunRequest) -> RunRequest:
        """Give the request as it is; a process has no image to pin."""
        return request

    def create(self, request: RunRequest) -> str:
        """Make the attempt's folder, or find it made already."""
        values = _request_values(request)
        folder = self._place(request.container_name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = folder / process_folder.WORK
        work.mkdir(exist_ok=True)
        values["work_dir"] = request.data_dir or str(work)
        if request.code:
            begin = process_code.lay_out(process_code.view_of(self._folder, request.container_name), request)
            values["work_dir"] = str(begin)
            values["command"] = process_code.command_of(request.code, begin, request.command)
        values["env"] |= self._handed_over(request, values["user"])
        process_folder.claim(folder / process_folder.REQUEST, values)
        stored = process_folder.read(folder / process_folder.REQUEST) or {}
        if any(stored.get(key) != values[key] for key in ("installation", "node", "run_id", "attempt")):
            raise BackendFailed(
                f"The name '{request.container_name}' is taken by a run of another installation.",
                hint="Give each installation a folder of its own.",
            )
        return request.container_name

    def start(self, handle: str) -> None:
        """Start the wrapper; of several, one takes the attempt and the others end at once."""
        if self.status(handle).phase is not Phase.CREATED:
            return
        folder = self._place(handle)
        with (folder / process_folder.WRAPPER_LOG).open("ab") as log:
            if _run_wrapper(folder, log) != 0:
                raise BackendFailed(
                    "The tool's process could not be started.",
                    hint=f"{process_folder.WRAPPER_LOG} in the run's folder on the node says why.",
                )

    def has_forgotten(self, handle: str) -> bool:
        """Give False: the attempt's folder shows whether its wrapper took it."""
        return False

    def status(self, handle: str) -> Observation:
        """Read what the wrapper wrote, and look whether it and the tool are alive."""
        folder = self._place(handle)
        if process_folder.read(folder / process_folder.REQUEST) is None:
            return Observation(Phase.GONE)
        if ended := process_folder.read(folder / process_folder.EXIT):
            return _ended(ended)
        started, tool = self._processes(folder)
        if started is None:
            return Observation(Phase.CREATED)
        if _living(started, tool):
            began = datetime.fromisoformat(tool["started_at"]) if tool else None
            return Observation(Phase.RUNNING, started_at=began)
        # The wrapper may have written its last file between our two looks.
        ended = process_folder.read(folder / process_folder.EXIT)
        return _ended(ended) if ended else Observation(Phase.GONE)

    def wait(self, handle: str, timeout_seconds: float) -> Observation:
        """Wait for the end of the wrapper's process, or of the tool's where the wrapper was killed."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            seen = self.status(handle)
            remaining = deadline - time.monotonic()
            if seen.phase in (Phase.ENDED, Phase.GONE) or remaining <= 0:
                return seen
            if living := _living(*self._processes(self._place(handle))):
                process_tree.wait_for_end(living, remaining)
            else:
                time.sleep(min(_PAUSE_SECONDS, remaining))

    def output(self, handle: str, from_byte: int) -> Iterator[bytes]:
        """Read the file that the tool prints into, until the tool has ended and all of it was read."""
        path = self._place(handle) / process_folder.OUTPUT
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(from_byte)
            while True:
                is_over = self.status(handle).phase is not Phase.RUNNING
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
                if is_over:
                    return
                self.wait(handle, _PAUSE_SECONDS)

    def tail(self, handle: str, limit_bytes: int) -> bytes:
        """Give the end of the file that the tool printed into."""
        path = self._place(handle) / process_folder.OUTPUT
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - limit_bytes))
            return file.read(limit_bytes)

    def stop(self, handle: str, mode: StopMode, grace_seconds: int) -> None:
        """Send TERM to the tool's group and wait; then kill everything that the tool started."""
        started, tool = self._processes(self._place(handle))
        if mode is StopMode.GRACE and tool:
            process_tree.signal_group(tool["process"], signal.SIGTERM)
            self.wait(handle, grace_seconds)
        deadline = time.monotonic() + _KILL_SECONDS
        while _living(started, tool) and time.monotonic() < deadline:
            if tool:
                process_tree.signal_group(tool["process"], signal.SIGKILL)
            if started and process_tree.is_alive(started["process"]):
                process_tree.kill_below(process_tree.pid_of(started["process"]))
            self.wait(handle, _PAUSE_SECONDS)

    def remove(self, handle: str) -> None:
        """Kill what is left of the attempt and delete its folder, and last what makes it be found."""
        self.stop(handle, StopMode.FORCE, 0)
        try:
            remove_folder(process_files.place_of(self._folder, handle))
            remove_folder(process_code.view_of(self._folder, handle))
            process_folder.remove(self._place(handle))
        except OSError as error:
            raise BackendFailed(f"The folder of '{handle}' cannot be removed: {error.strerror}.") from error

    def leftovers(self, installation: str, node: str) -> list[Leftover]:
        """List the folders of this installation's node."""
        found = []
        for path in sorted(self._folder.glob(f"*/{process_folder.REQUEST}")):
            values = process_folder.read(path) or {}
            if (values.get("installation"), values.get("node")) == (installation, node):
                handle = path.parent.name
                created_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                phase = self.status(handle).phase
                found.append(Leftover(handle, values["run_id"], values["attempt"], phase, created_at))
        return found

    def size(self, handle: str) -> int:
        """Give the bytes of the attempt's folder."""
        return disk_bytes(self._place(handle))

    def images(self) -> list[StoredImage]:
        """Give nothing; a process has no image."""
        return []

    def remove_image(self, image_id: str) -> None:
        """Do nothing; a process has no image."""

    def ping(self) -> str:
        """Give the version of the kernel."""
        return platform.release()

    def storage(self) -> Path | None:
        """Give the folder of the attempts."""
        return self._folder

    def gap(self) -> str | None:
        """Say that a process is no container."""
        return "tools run as processes of this machine, which sees and reaches what their user does"

    def _place(self, handle: str) -> Path:
        if not _HANDLE.fullmatch(handle):
            raise BackendFailed(f"'{handle[:80]}' is not a run of the process backend.")
        return self._folder / handle

    def _handed_over(self, request: RunRequest, user: list[int] | None) -> dict[str, str]:
        """Lay out the run's files and secrets for the tool, and give the variables that name their folders."""
        named = {}
        if request.files:
            folder = process_files.place_of(self._folder, request.container_name)
            process_files.copy_files(folder, request.files, user)
            named["MAO_FILES"] = str(folder)
        if secrets := secret_folders.lay_out(request, str(user[0] if user else os.geteuid())):
            named["MAO_SECRETS"] = secrets
        return named

    def _processes(self, folder: Path) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        return process_folder.read(folder / process_folder.STARTED), process_folder.read(folder / process_folder.TOOL)


def _run_wrapper(folder: Path, log: BinaryIO) -> int:
    command = [sys.executable, "-m", "app.executors.process_child", str(folder)]
    try:
        return subprocess.run(
            command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=_START_SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired as error:
        # It may still start; the attempt is taken once, so that asking again is safe.
        raise Unavailable("This node is too busy to start a process.") from error


def _living(*processes: dict[str, Any] | None) -> str | None:
    found = (process["process"] for process in processes if process and process_tree.is_alive(process["process"]))
    return next(found, None)


def _ended(values: dict[str, Any]) -> Observation:
    return Observation(
        Phase.ENDED,
        exit_code=values["exit_code"],
        started_at=datetime.fromisoformat(values["started_at"]),
        ended_at=datetime.fromisoformat(values["ended_at"]),
    )


def _request_values(request: RunRequest) -> dict[str, Any]:
    if not request.command:
        raise BackendFailed(
            "A tool of the process backend needs a command.", cause=Cause.TOOL_ERROR, hint="Give the tool a command."
        )
    if request.network or request.profile is Profile.STRICT:
        raise BackendFailed(
            "The process backend cannot keep a tool from the network.",
            hint="Run this tool on the docker backend, or leave its network and profile as they are by default.",
        )
    data = {"MAO_DATA_DIR": request.data_dir} if request.data_dir else {}
    own = process_code.variables_of(request.code, _MINIMAL["PATH"]) if request.code else {}
    return {
        "installation": request.installation,
        "node": request.node,
        "run_id": request.run_id,
        "attempt": request.attempt,
        "command": list(request.command),
        "env": {**_MINIMAL, **request.env, **data, **own},
        "memory_bytes": request.limits.memory_mb * _MEBIBYTE,
        "most_processes": _most_processes(request),
        "user": _user_for(written_folder(request)),
    }


def _most_processes(request: RunRequest) -> int | None:
    """Give how many processes the user may have; only installers are kept from more.

    The kernel counts those of a user, not of a run, so whoever shares the user with others would be hit by them.
    """
    folder = written_folder(request)
    if folder is None or request.code is None or not request.code.is_writable:
        return None
    return request.limits.pids + process_tree.threads_of(Path(folder).stat().st_uid)


def _user_for(folder: str | None) -> list[int] | None:
    """Give user and group for the tool, or None where it stays the agent's: only root can change them."""
    if folder is None:
        return None
    try:
        found = Path(folder).stat()
    except OSError as error:
        raise BackendFailed(
            f"The run's data folder cannot be used: {error.strerror}.", cause=Cause.DATA_UNAVAILABLE
        ) from error
    is_other = os.geteuid() == 0 and found.st_uid != 0
    return [found.st_uid, found.st_gid] if is_other else None
