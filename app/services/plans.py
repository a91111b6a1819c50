"""What a run will do: read from the tool's registry entry, when the run is accepted or when its job has fired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from app.errors import Invalid
from app.executors.selection import choose
from app.models.names import NAME_PATTERN, checked_name
from app.models.tool import Profile, Tool
from app.repositories.registry import Registry

PARAMETERS = ("command", "env", "publish", "timeout_seconds", "infrastructure_retries", "tool_retries")
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
            "backend": choose(merged, self._backends),
            "profile": _profile_of(tool),
            "locks": sorted({checked_name(lock, "locks") for lock in (*tool.locks, *locks)}),
            **self._data_of(tool),
        }

    def _data_of(self, tool: Tool) -> dict[str, Any]:
        if not tool.data_repo:
            return {"clone": None, "data_url": None, "data_branch": None}
        if re.fullmatch(NAME_PATTERN, tool.data_repo):
            dataset, _ = self._registry.get_dataset(tool.data_repo)
            return {"clone": dataset.name, "data_url": dataset.url, "data_branch": dataset.branch}
        return {"clone": tool.name, "data_url": tool.data_repo, "data_branch": ""}


def _profile_of(tool: Tool) -> str:
    # Another node, or a later version, may have written the entry.
    if tool.profile not in set(Profile):
        raise Invalid(f"The tool '{tool.name}' asks for the profile '{str(tool.profile)[:40]}', which is unknown here.")
    return tool.profile
