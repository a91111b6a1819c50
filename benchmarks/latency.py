"""How long one run takes, and how much of that the container engine would take without us."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.client import Client
from benchmarks.engine import STEPS, Engine
from benchmarks.figures import heading, line, ms, ratio, spread, spread_heading
from benchmarks.processes import CpuMeter
from benchmarks.product import TOOL, Product

PAIRS = 40
_WARM_UP = 5
_GOAL_MS = 30


@dataclass
class _Times:
    """Seconds, one entry a pair; ``parts`` by what was done in them."""

    product: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    engine_to_inspect: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def measure(product: Product, engine: Engine) -> None:
    """Run the same container through the product and on the bare engine, by turns."""
    times = _Times()
    with product.running() as client:
        for _ in range(_WARM_UP):
            _pair(_Times(), client, engine)
        meter = CpuMeter(product.processes)
        for _ in range(PAIRS):
            _pair(times, client, engine)
        used = meter.seconds()
    _show(times)
    for name, seconds in used.items():
        line(f"processor time of {name} a pair", ms(seconds / PAIRS))


def _pair(times: _Times, client: Client, engine: Engine) -> None:
    began = time.perf_counter()
    run_id = client.submit(TOOL)
    accepted = time.perf_counter()
    run = client.final(run_id)
    ended, ended_at = time.perf_counter(), time.time()
    times.product.append(ended - began)
    for name, seconds in _parts(client, run, ended_at).items():
        times.parts[name].append(seconds)
    times.parts["POST is answered"].append(accepted - began)
    engine.until_clean()
    steps = engine.run_once()
    for step in STEPS:
        times.steps[step].append(steps[step])
    times.engine.append(sum(steps.values()))
    times.engine_to_inspect.append(sum(steps.values()) - steps["remove"])


def _parts(client: Client, run: dict[str, Any], answered_at: float) -> dict[str, float]:
    """Give the seconds between the run's states, and around the container's own beginning and end."""
    events = client.get(f"/api/runs/{run['id']}/events")["items"]
    found = {
        f"{before['toStatus']} to {after['toStatus']}": _instant(after["time"]) - _instant(before["time"])
        for before, after in pairwise(events)
    }
    started, ended, final = _instant(run["startTime"]), _instant(run["endTime"]), _instant(events[-1]["time"])
    return found | {
        "the container's own time": ended - started,
        "the container's end to the final state": final - ended,
        "the final state to the answer": answered_at - final,
    }


def _show(times: _Times) -> None:
    heading(f"latency of a container that does nothing: {len(times.product)} pairs by turns")
    spread_heading()
    product = spread("product, from POST to the final state", times.product)
    engine = spread("bare engine, with removal", times.engine)
    to_inspect = spread("bare engine, without removal", times.engine_to_inspect)
    print()
    line("product against bare engine", "more, ms", "by pairs", "ratio", f"goal {_GOAL_MS} ms")
    for name, bare, each in (
        ("  with removal", engine, times.engine),
        ("  without removal", to_inspect, times.engine_to_inspect),
    ):
        more = [ours - theirs for ours, theirs in zip(times.product, each, strict=True)]
        within = sum(seconds <= _GOAL_MS / 1000 for seconds in more)
        line(name, ms(product - bare), ms(median(more)), ratio(product / bare), f"{within}/{len(more)}")
    print()
    line("where the product's time goes, ms", "median", "p10", "p90")
    for name, seconds in times.parts.items():
        spread(f"  {name}", seconds)
    line("where the bare engine's time goes, ms", "median", "p10", "p90")
    for step, seconds in times.steps.items():
        spread(f"  {step}", seconds)


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
