"""A world of its own for the storm: its network, mounts and processes are namespaces that end with their first process.

So nothing that is killed, filled up or cut here is anybody else's, and nothing is left behind however the storm ends:
the kernel takes all processes, mounts and interfaces away. What remains are empty control groups, removed here.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_CGROUPS = Path("/sys/fs/cgroup")
_PROGRAMS = ("unshare", "dockerd", "containerd", "docker-init", "runc", "ip", "mount", "busybox", "git")
_DYING_SECONDS = 20.0
_POLL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
# The shell stays the first process: it takes in whatever loses its parent, which Python would leave as zombies.
_SCRIPT = 'ip link set lo up && mount -t tmpfs -o size=6g,mode=755 tmpfs "$0" && "$@"; exit $?'


def why_not() -> str | None:
    """Say why no world of its own can be had on this machine, or None where it can."""
    if os.geteuid() != 0:
        return "a network and an engine of one's own need root"
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or "namespaces are refused" if tried.returncode else None


def run_isolated(arguments: Sequence[str]) -> int:
    """Run ``tests.chaos.inside`` with these arguments in a world of its own, and give its exit status."""
    folder = Path(tempfile.mkdtemp(prefix="mao-chaos-"))
    # What the environment says of services is not for this world, and images are built by its own engine.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "-m", "tests.chaos.inside", str(folder), *arguments]
    # Whoever asks this process to end wants the world to end, and what is left of it to be removed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    process = subprocess.Popen(
        [*_unshare(), "sh", "-c", _SCRIPT, str(folder), *command],
        cwd=CHECKOUT,
        env={**kept, "MAO_TEST_DOCKER_SOCKET": f"unix://{folder}/engine/docker.sock"},
        preexec_fn=_die_with_parent,
    )
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()
        _remove_cgroups(folder.name)
        with suppress(OSError):
            folder.rmdir()


def _unshare() -> list[str]:
    return ["unshare", "--net", "--mount", "--ipc", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_cgroups(name: str) -> None:
    """Remove the control groups of the world's containers; its last processes may still be about to die."""
    deadline = time.monotonic() + _DYING_SECONDS
    while (left := [*_CGROUPS.glob(name), *_CGROUPS.glob(f"*/{name}")]) and time.monotonic() < deadline:
        for hierarchy in left:
            for folder, _, _ in os.walk(hierarchy, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
        time.sleep(_POLL_SECONDS)
