"""How many runs this node can hold, and how full its disks are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from app.repositories.run_queue import Capacity
from app.services.agent_context import AgentContext


def capacity_of(context: AgentContext) -> Capacity:
    """Give what the node's settings and its disks allow now."""
    limits = context.settings.limits
    return Capacity(
        runs=limits.concurrent_runs,
        per_tool=limits.runs_per_tool,
        per_owner=limits.runs_per_owner,
        per_backend=limits.runs_per_backend,
        disk=full_disk(context, limits.disk_run_percent),
    )


def full_disk(context: AgentContext, most_percent: int) -> str | None:
    """Say which disk of the clones or of a backend is fuller than ``most_percent``, or give None."""
    for name, path in _disks(context):
        used = used_percent(path)
        if used > most_percent:
            return f"{used} % of the disk of {name} is in use, and {most_percent} % is the limit"
    return None


def used_percent(path: Path) -> int:
    """Give how much of a folder's file system is in use, as ``df`` counts it: of what an ordinary user may have."""
    usage = shutil.disk_usage(path)
    return round(100 * usage.used / max(usage.used + usage.free, 1))


def _disks(context: AgentContext) -> Iterator[tuple[str, Path]]:
    importdir = context.settings.working_environment.importdir
    yield "the clones", next(path for path in (importdir, *importdir.parents) if path.exists())
    for executor in context.executors.values():
        storage = executor.storage()
        if storage is not None and storage.exists():
            yield f"the backend {executor.name}", storage
