"""The plan of a storm: which faults, in which order, for how long. It is a function of its seed."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from tests.chaos.edges import EDGES
from tests.chaos.faults import AGENT, GAPS, KINDS, Kind

EDGE_SECONDS = 25.0
"""How long named points are armed at most, until other faults of the agent have their turn."""


@dataclass(frozen=True)
class Planned:
    """A fault of the plan: how long after its part was back, and for how long.

    ``edge`` is the named point at which an agent is killed; then ``kind`` is None.
    """

    kind: Kind | None
    gap_seconds: float
    lasts_seconds: float
    seed: int
    edge: str = ""

    @property
    def part(self) -> str:
        """The part that breaks."""
        return self.kind.part if self.kind else AGENT

    @property
    def name(self) -> str:
        """What the result calls it."""
        return self.kind.name if self.kind else f"edge: {self.edge}"


def plan(seed: int, kills: int, edges: int = 0, only: str = "") -> dict[str, deque[Planned]]:
    """Draw faults until so many of them kill processes, and so many deaths at each named point; give them by part.

    ``only`` is a part of the names of the faults that are wanted; each of these counts as a kill.
    """
    chance = random.Random(seed)
    kinds = [kind for kind in KINDS if only in kind.name]
    drawn = [_at_edge(chance, edge) for edge in EDGES * edges]
    while kills > 0:
        kind = chance.choices(kinds, [kind.weight for kind in kinds])[0]
        drawn.append(_drawn(chance, kind))
        kills -= bool(only) or kind.kills
    chance.shuffle(drawn)
    return {part: deque(fault for fault in drawn if fault.part == part) for part in GAPS}


def _at_edge(chance: random.Random, edge: str) -> Planned:
    return Planned(None, chance.uniform(*GAPS[AGENT]), EDGE_SECONDS, 0, edge)


def _drawn(chance: random.Random, kind: Kind) -> Planned:
    return Planned(kind, chance.uniform(*GAPS[kind.part]), chance.uniform(*kind.seconds), chance.getrandbits(32))
