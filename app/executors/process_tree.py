"""Processes as /proc shows them. Standard library only: the wrapper around a tool imports this."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys" / "kernel" / "random" / "boot_id"
# Places in /proc/<pid>/stat after the program's name, which may itself contain blanks and brackets.
_STATE = 0
_PARENT = 1
_STARTED_TICKS = 19
_DEAD = ("Z", "X", "x")


def identity(pid: int) -> str:
    """Give a text that no other process will ever have, though its number may be given again."""
    return f"{pid} {_stat(pid)[_STARTED_TICKS]} {_BOOT_ID.read_text().strip()}"


def pid_of(identity_text: str) -> int:
    """Give the number in a text made by ``identity``."""
    return int(identity_text.split()[0])


def is_alive(identity_text: str) -> bool:
    """Tell whether this very process still runs; one that ended and was not collected yet does not."""
    pid, ticks, boot = identity_text.split()
    try:
        fields = _stat(int(pid))
    except OSError:
        return False
    return fields[_STATE] not in _DEAD and fields[_STARTED_TICKS] == ticks and _BOOT_ID.read_text().strip() == boot


def descendants(pid: int) -> list[int]:
    """Give every process below ``pid``, parents first."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            # It may end while we read.
            with suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[_PARENT]), []).append(int(entry.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


def threads_of(user: int) -> int:
    """Count the threads of a user's processes, as the kernel does for its limit on them."""
    count = 0
    for entry in _PROC.iterdir():
        # It may end while we look.
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                count += len(os.listdir(entry / "task"))  # noqa: PTH208 - names are enough
    return count


def kill_below(pid: int) -> None:
    """Kill every process below ``pid``, but not itself."""
    for child in descendants(pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def signal_group(leader: str, number: signal.Signals) -> None:
    """Send a signal to the group whose leader has this identity, while the leader lives."""
    if is_alive(leader):
        with suppress(ProcessLookupError):
            os.killpg(pid_of(leader), number)


def wait_for_end(identity_text: str, timeout_seconds: float) -> None:
    """Block until this process has ended or the time is over."""
    try:
        descriptor = os.pidfd_open(pid_of(identity_text))
    except ProcessLookupError:
        return
    try:
        # Only now is it certain that the descriptor belongs to the process that is meant.
        if is_alive(identity_text):
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(timeout_seconds * 1000)
    finally:
        os.close(descriptor)


def _stat(pid: int) -> list[str]:
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
