"""The wrapper around one tool of the process backend: it outlives the agent and writes down how the tool ended.

Run as ``python -m app.executors.process_child FOLDER``. The process that is started ends as soon as the tool runs;
what goes on is a child of it in a session of its own, so that nothing that ends the agent ends the tool. Standard
library and two small neighbours only: every run pays for what is imported here.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.clock import utc_now
from app.executors import process_folder, process_tree

COMMAND_MISSING = 127
CANNOT_EXECUTE = 126
SIGNAL_BASE = 128
_READY = b"1"
_PR_SET_CHILD_SUBREAPER = 36
_HARMLESS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(folder: Path) -> int:
    """Start the tool of ``folder`` if nobody did, and return when it runs; the child goes on until it ended."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        return 0 if os.read(reader, len(_READY)) == _READY else 1
    os.close(reader)
    os.setsid()
    mine = {"process": process_tree.identity(os.getpid())}
    if process_folder.claim(folder / process_folder.STARTED, mine):
        try:
            _run(folder, writer)
        finally:
            # Also when the disk is full: a tool whose end nobody writes down must not go on.
            process_tree.kill_below(os.getpid())
    else:
        os.write(writer, _READY)
    return 0


def _run(folder: Path, writer: int) -> None:
    for number in _HARMLESS:
        # A handler of ours, because the tool would inherit a signal that is ignored.
        signal.signal(number, lambda *_: None)
    # Whatever the tool starts becomes our child when its parent ends, so that nothing of it gets away.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    request = process_folder.read(folder / process_folder.REQUEST) or {}
    began = utc_now().isoformat()
    with (folder / process_folder.OUTPUT).open("ab") as output:
        try:
            tool = _start(request, output)
        except OSError as error:
            code = COMMAND_MISSING if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
            output.write(f"{request['command'][0]}: {error.strerror}\n".encode())
        else:
            process = {"process": process_tree.identity(tool.pid), "started_at": began}
            process_folder.write(folder / process_folder.TOOL, process)
            os.write(writer, _READY)
            code = _collected(tool)
    ended = {"exit_code": code, "started_at": began, "ended_at": utc_now().isoformat()}
    process_folder.write(folder / process_folder.EXIT, ended)
    # Heard by nobody where the tool did run, because the first process has ended by then.
    with suppress(BrokenPipeError):
        os.write(writer, _READY)


def _start(request: dict[str, Any], output: Any) -> subprocess.Popen[bytes]:
    user = request["user"]
    owner = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
    return subprocess.Popen(
        request["command"],
        cwd=request["work_dir"],
        env=request["env"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=lambda: _limit(request["memory_bytes"], request.get("most_processes")),
        **owner,
    )


def _limit(memory_bytes: int, most_processes: int | None) -> None:
    if most_processes is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (most_processes, most_processes))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _collected(tool: subprocess.Popen[bytes]) -> int:
    """Wait for the tool, end what it left behind, and give its exit code; an end by signal n is 128 + n."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == tool.pid:
            break
    tool.returncode = os.waitstatus_to_exitcode(status)
    with suppress(ChildProcessError):
        while True:
            process_tree.kill_below(os.getpid())
            os.waitpid(-1, 0)
    return tool.returncode if tool.returncode >= 0 else SIGNAL_BASE - tool.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
