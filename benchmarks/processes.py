"""What processes use, as the kernel counts it: processor time and memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PARENT = 1
_CPU = slice(11, 15)
"""Own and waited-for children's time, in user and system mode, counted from the field behind the name."""


@dataclass(frozen=True)
class Memory:
    """KiB of one process: shared pages divided among their users, pages of its own, and all that is resident."""

    pss: int
    uss: int
    rss: int


def tree(pid: int) -> list[int]:
    """Give a process and all its descendants."""
    found = [pid]
    for entry in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(int(entry.parent.name))
        if fields and int(fields[_PARENT]) == pid:
            found += tree(int(entry.parent.name))
    return found


def cpu_seconds(pid: int) -> float:
    """Give the processor time that a process and its descendants have used, those that ended included."""
    return sum(sum(map(int, _fields(each)[_CPU])) for each in tree(pid)) / _TICKS_PER_SECOND


def memory(pid: int) -> Memory:
    """Give the memory of one process, without its children."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return Memory(kib["Pss"], kib["Private_Clean"] + kib["Private_Dirty"], kib["Rss"])


class CpuMeter:
    """Counts the processor time of several parts from the moment that it is made."""

    def __init__(self, parts: Mapping[str, int]) -> None:
        """``parts`` gives the first process of each part by the part's name."""
        self._parts = parts
        self._before = self._now()

    def seconds(self) -> dict[str, float]:
        """Give the seconds that each part has used since."""
        return {name: seconds - self._before[name] for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._parts.items()}


def _fields(pid: int) -> list[str]:
    try:
        # The name may hold spaces and parentheses, so only what is behind its end can be split.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        # It ended meanwhile; its time is counted in its parent.
        return []
