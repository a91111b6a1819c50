"""The machine that the figures come from, and whether it had time for them."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.product import CHECKOUT

_BUSY_SHARE = 0.25
"""Above this load per processor other people's work shows in the figures."""


def describe(engine_version: str) -> None:
    """Show machine, versions, date and commit."""
    print(f"machine   {_model()}, {os.cpu_count()} processors, {_memory_gib():.0f} GiB, Linux {platform.release()}")
    print(f"versions  Python {platform.python_version()}, container engine {engine_version}")
    print(f"date      {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}")


def show_load(moment: str) -> None:
    """Show the load average."""
    print(f"load      {moment}: " + " ".join(f"{load:.2f}" for load in os.getloadavg()), flush=True)


def warn_if_busy() -> None:
    """Say so when somebody else is using the machine; to be called before anything is started."""
    if os.getloadavg()[0] > _BUSY_SHARE * (os.cpu_count() or 1):
        print("WARNING   the machine is busy: times are too long, and ratios are less certain.", flush=True)


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _commit() -> str:
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
