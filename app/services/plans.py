"""What a run will do: read from the tool's registry entry, when the run is accepted or when its job has fired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.errors import Invalid
from app.executors.selection import BACKEND_LABEL, choose
from app.models.dataset import Dataset
from app.models.names import NAME_PATTERN, checked_name
from app.models.tool import Profile, Tool
from app.repositories.registry import Registry

PARAMETERS = (
    *("command", "command_name", "arguments", "env", "publish"),
    *("timeout_seconds", "infrastructure_retries", "tool_retries"),
)
"""What a run or a job may set in place of the tool's entry, and how often it is tried again."""


def parameters_of(wishes: dict[str, Any]) -> dict[str, Any]:
    """Give, of all that is wished of a run, what stands in place of the entry's."""
    return {name: wishes[name] for name in PARAMETERS if name in wishes}


class Planner:
    """Turns a tool's entry into the columns of a run."""

    def __init__(self, registry: Registry, backends: Sequence[str]) -> None:
        self._registry = registry
        self._backends = tuple(backends)

    def plan(self, tool_name: str, labels: dict[str, str] | None = None, locks: Iterable[str] = ()) -> dict[str, Any]:
        """Give the columns that the registry decides: entry, labels, backend, profile, locks and data.

        ``labels`` and ``locks`` are the run's own, and added to those of the entry.

        Raises:
            NotFound: no such tool, or no such data set behind its ``data_repo``.
            Invalid: no backend of this node serves the labels, or the entry asks for an unknown profile or for a lock
                whose name is none.
        """
        tool, _ = self._registry.get_tool(tool_name)
        merged = {**tool.labels, **(labels or {})}
        return {
            "tool_entry": tool.to_dict(),
            "labels": merged,
            "backend": backend_for(tool, merged, self._backends),
            "profile": _profile_of(tool),
            "locks": sorted({checked_name(lock, "locks") for lock in (*tool.locks, *locks)}),
            **_data_of(self._registry, tool),
        }


def data_of(registry: Registry, tool: Tool) -> Dataset | None:
    """Give the data set that a tool writes to, under the name of its clone; None for a tool that keeps no data.

    Raises:
        NotFound: the entry names a data set that is not registered.
    """
    if not tool.data_repo:
        return None
    if re.fullmatch(NAME_PATTERN, tool.data_repo):
        return registry.get_dataset(tool.data_repo)[0]
    return Dataset(tool.name, tool.data_repo)


def backend_for(tool: Tool, labels: Mapping[str, str], available: Sequence[str]) -> str:
    """Give the backend for runs of a tool with these labels; one without an image runs as a process.

    Raises:
        Invalid: this node has none for it.
    """
    if tool.image:
        return choose(labels, available)
    backend = choose({BACKEND_LABEL: "process", **labels}, [*available, "process"])
    if backend == "docker":
        raise _unfit(tool, "the backend docker needs one", "Register it with an image.")
    if backend not in available:
        cure = "Register it with an image, or let the operator of the node set allow_process_backend."
        raise _unfit(tool, "needs the process backend, which this node does not allow", cure)
    return backend


def _unfit(tool: Tool, why: str, cure: str) -> Invalid:
    fields = {"image": ["Must be given for this."]}
    return Invalid(f"The tool '{tool.name}' has no image, and {why}.", fields=fields, hint=cure)


def _data_of(registry: Registry, tool: Tool) -> dict[str, Any]:
    dataset = data_of(registry, tool)
    if dataset is None:
        return {"clone": None, "data_url": None, "data_branch": None, "data_history": None}
    return {
        "clone": dataset.name,
        "data_url": dataset.url,
        "data_branch": dataset.branch,
        "data_history": dataset.history,
    }


def _profile_of(tool: Tool) -> str:
    # Another node, or a later version, may have written the entry.
    if tool.profile not in set(Profile):
        raise Invalid(f"The tool '{tool.name}' asks for the profile '{str(tool.profile)[:40]}', which is unknown here.")
    return tool.profile
