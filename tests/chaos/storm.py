"""The storm: a plan of faults that is a function of its seed, with calms in which the product has to recover."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass

from tests.chaos.edges import EDGES
from tests.chaos.faults import KINDS, READY, Kind, Mend
from tests.chaos.processes import until
from tests.chaos.truth import Attempt, Watcher
from tests.chaos.world import World

_GAP_SECONDS = (0.2, 1.2)
_FAULTS_PER_CALM = 25
_EDGES_PER_CALM = 16
_EDGE_SECONDS = 25.0
_PART_SECONDS = 120.0
_TRUTH_SECONDS = 60.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Planned:
    """A fault of the plan, so many seconds after the one before."""

    kind: Kind
    gap_seconds: float
    lasts_seconds: float
    seed: int


@dataclass
class Incident:
    """A fault that was made: when, and when the part was back, by the monotonic and by the usual clock."""

    kind: str
    part: str
    began: float
    ends_tools: bool = False
    returned: float | None = None


def plan(seed: int, kills: int, only: str = "") -> list[Planned]:
    """Draw faults until so many of them kill processes; ``only`` is a part of the names of those that are wanted."""
    chance, drawn = random.Random(seed), []
    kinds = [kind for kind in KINDS if only in kind.name]
    while kills > 0:
        kind = chance.choices(kinds, [kind.weight for kind in kinds])[0]
        gap, lasts = chance.uniform(*_GAP_SECONDS), chance.uniform(*kind.seconds)
        drawn.append(Planned(kind, gap, lasts, chance.getrandbits(32)))
        kills -= bool(only) or kind.kills
    return drawn


class Storm:
    """Makes faults and notes what was made and how the product came back."""

    def __init__(self, world: World) -> None:
        self.incidents: list[Incident] = []
        self.edges: Counter[str] = Counter()
        self.calms = 0
        self.never_right: list[Attempt] = []
        self.watcher = Watcher(world)
        self._world = world
        self._open: dict[str, tuple[Incident, float, Mend | None]] = {}

    def blow(self, planned: list[Planned]) -> None:
        """Make all faults of a plan, with a calm every now and then."""
        for number, fault in enumerate(planned, start=1):
            self._pass(fault.gap_seconds)
            self._wait_for(fault.kind.part)
            self._make(fault)
            if number % _FAULTS_PER_CALM == 0:
                self.calm()

    def kill_at_edges(self, times: int) -> None:
        """Kill the agent at each named point so many times."""
        for number in range(times * len(EDGES)):
            self._kill_at(EDGES[number % len(EDGES)])
            if (number + 1) % _EDGES_PER_CALM == 0:
                self.calm()

    def calm(self) -> None:
        """Wait until everything is back and the record says what is true."""
        self._wait_for(*READY)
        for part, is_ready in READY.items():
            until(lambda ready=is_ready: ready(self._world), f"{part} answers", _PART_SECONDS)
        self.never_right += self.watcher.wait_until_true(_TRUTH_SECONDS)
        self.calms += 1
        print(f"chaos: {len(self.incidents)} faults so far", file=sys.stderr, flush=True)

    def _kill_at(self, edge: str) -> None:
        """Arm the point until an agent has died there; one that is rarely passed may need more patience."""
        world, deadline = self._world, time.monotonic() + _EDGE_SECONDS
        taken = world.edge.with_suffix(".taken")
        taken.unlink(missing_ok=True)
        world.edge.write_text(edge)
        while not taken.exists() and time.monotonic() < deadline:
            self._pass(_LOOK_SECONDS)
        world.edge.unlink(missing_ok=True)
        if taken.exists():
            self.edges[edge] += 1
            incident = Incident(f"edge: {edge}", "agent", time.monotonic())
            self.incidents.append(incident)
            self._open["agent"] = (incident, incident.began, None)

    def _make(self, fault: Planned) -> None:
        incident = Incident(fault.kind.name, fault.kind.part, time.monotonic(), fault.kind.ends_tools)
        mend = fault.kind.make(self._world, random.Random(fault.seed))
        self.incidents.append(incident)
        self._open[fault.kind.part] = (incident, time.monotonic() + fault.lasts_seconds, mend)

    def _wait_for(self, *parts: str) -> None:
        """Wait until these parts are back, and mend all others meanwhile when it is time: one may need another."""

        def are_back() -> bool:
            back = {part for part in list(self._open) if self._is_free(part)}
            return all(part in back or part not in self._open for part in parts)

        until(are_back, f"{parts} are back", _PART_SECONDS)

    def _pass(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for part in list(self._open):
                self._is_free(part)
            time.sleep(_LOOK_SECONDS)

    def _is_free(self, part: str) -> bool:
        """Mend what has lasted long enough, and tell whether the part is back."""
        if part not in self._open:
            return True
        incident, mend_at, mend = self._open[part]
        if time.monotonic() < mend_at:
            return False
        if mend:
            mend()
            self._open[part] = (incident, mend_at, None)
        if not READY[part](self._world):
            return False
        incident.returned = time.monotonic()
        del self._open[part]
        return True
