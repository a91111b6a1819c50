"""The storm: makes the faults of a plan, every part's on its own, with calms in which the product has to recover."""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.chaos.faults import READY, Mend
from tests.chaos.planning import Planned
from tests.chaos.processes import until
from tests.chaos.truth import Attempt, Watcher
from tests.chaos.world import World

_FAULTS_PER_CALM = 40
_ARMED_AT_ONCE = 4
_MOST_FRUITLESS = 10
_PART_SECONDS = 120.0
_TRUTH_SECONDS = 60.0
_LOOK_SECONDS = 0.02


@dataclass
class Incident:
    """A fault that was made: when, and when its part was back, by the monotonic clock."""

    kind: str
    part: str
    began: float
    returned: float | None = None


@dataclass
class _Open:
    """A fault that is not over."""

    incident: Incident
    is_due: Callable[[], bool]
    mend: Mend | None


class Storm:
    """Makes faults, and notes what was made and how the product came back."""

    def __init__(self, world: World) -> None:
        self.incidents: list[Incident] = []
        self.calms = 0
        self.never_right: list[Attempt] = []
        self.watcher = Watcher(world)
        self._world = world
        self._fruitless = 0
        self._clock_offset = time.time() - time.monotonic()
        self._open: dict[str, _Open] = {}

    def blow(self, queues: Mapping[str, deque[Planned]]) -> None:
        """Make all faults of a plan: each part has one after the other, and the parts know nothing of each other."""
        due = {part: time.monotonic() for part in queues}
        # A named point that no agent came by goes back to its queue when it is mended.
        while any(queues.values()) or self._open:
            for part, queue in queues.items():
                if self._is_free(part) and queue and time.monotonic() >= due[part]:
                    fault = queue.popleft()
                    self._make(fault, queue)
                    due[part] = time.monotonic() + fault.gap_seconds + fault.lasts_seconds * (fault.kind is not None)
                    self._calm_now_and_then()
            time.sleep(_LOOK_SECONDS)

    def calm(self) -> None:
        """Wait until everything is back and the record says what is true."""
        until(lambda: {self._is_free(part) for part in READY} == {True}, "everything is back", _PART_SECONDS)
        for part, is_ready in READY.items():
            until(lambda ready=is_ready: ready(self._world), f"{part} answers", _PART_SECONDS)
        self.never_right += self.watcher.wait_until_true(_TRUTH_SECONDS)
        self.calms += 1
        print(f"chaos: {len(self.incidents)} faults so far", file=sys.stderr, flush=True)

    def _calm_now_and_then(self) -> None:
        if len(self.incidents) >= _FAULTS_PER_CALM * (self.calms + 1):
            self.calm()

    def _make(self, fault: Planned, queue: deque[Planned]) -> None:
        incident = Incident(fault.name, fault.part, time.monotonic())
        if fault.kind is None:
            self._open[fault.part] = self._armed(fault, incident, queue)
            return
        mend = fault.kind.make(self._world, random.Random(fault.seed))
        self.incidents.append(incident)
        ends = time.monotonic() + fault.lasts_seconds
        self._open[fault.part] = _Open(incident, lambda: time.monotonic() >= ends, mend)

    def _armed(self, fault: Planned, incident: Incident, queue: deque[Planned]) -> _Open:
        """Arm a few of the named points that are still to be passed; the fault begins when an agent has died at one."""
        pending = [fault, *(other for other in queue if other.edge)]
        edges = list(dict.fromkeys(one.edge for one in pending))[:_ARMED_AT_ONCE]
        file, ends = self._world.edge, incident.began + fault.lasts_seconds
        file.write_text("\n".join(edges))

        def mend() -> None:
            file.unlink(missing_ok=True)
            queue.append(fault)
            self._note_death(incident, queue)

        return _Open(incident, lambda: not file.exists() or time.monotonic() >= ends, mend)

    def _note_death(self, incident: Incident, queue: deque[Planned]) -> None:
        """Find out where an agent has died, if one has, and cross one such death off the plan."""
        file = self._world.edge
        for taken in file.parent.glob(f"{file.name}.*"):
            edge = taken.suffix[1:]
            queue.remove(next(one for one in queue if one.edge == edge))
            incident.kind, incident.began = f"edge: {edge}", taken.stat().st_ctime - self._clock_offset
            self.incidents.append(incident)
            taken.unlink()
            self._fruitless = 0
            return
        self._fruitless += 1
        if self._fruitless > _MOST_FRUITLESS:
            raise TimeoutError(f"No agent comes by the points {sorted({one.edge for one in queue if one.edge})}.")

    def _is_free(self, part: str) -> bool:
        """Mend what has lasted long enough, and tell whether the part is back."""
        found = self._open.get(part)
        if found is None:
            return True
        if not found.is_due():
            return False
        if found.mend:
            found.mend()
            found.mend = None
        if not READY[part](self._world):
            return False
        found.incident.returned = time.monotonic()
        del self._open[part]
        return True
