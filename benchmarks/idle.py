"""What the product takes while it does nothing: memory of API and agent, and processor time of every part."""

from __future__ import annotations

import time

from benchmarks.engine import Engine
from benchmarks.figures import heading, line
from benchmarks.processes import CpuMeter, Memory, memory, tree
from benchmarks.product import TOOL, Product

IDLE_SECONDS = 10
_REQUESTS = 20
_GOAL_MB = 150


def measure(product: Product, engine: Engine) -> None:
    """Use every part a little, let the product rest, then look at it."""
    with product.running() as client:
        for _ in range(_REQUESTS):
            for path in ("/readyz", "/api/tools", "/api/runs", "/api/jobs"):
                client.get(path)
        client.final(client.submit(TOOL))
        engine.until_clean()
        meter = CpuMeter(product.processes)
        time.sleep(IDLE_SECONDS)
        used = meter.seconds()
        processes = {name: product.processes[name] for name in ("API", "agent")}
        found = {name: [memory(each) for each in tree(pid)] for name, pid in processes.items()}
    _show_memory(found)
    line("processor time at rest, ms a second")
    for name, seconds in used.items():
        line(f"  {name}", f"{seconds / IDLE_SECONDS * 1000:.1f}")


def _show_memory(found: dict[str, list[Memory]]) -> None:
    heading(f"at rest: a few requests and a run, then {IDLE_SECONDS} s of nothing; goal {_GOAL_MB} MB of PSS")
    line("MB", "PSS", "USS", "RSS")
    for name, processes in found.items():
        for number, process in enumerate(processes):
            _show("  agent" if name == "agent" else f"  API, worker {number}" if number else "  API, master", [process])
    _show("together", [process for processes in found.values() for process in processes])


def _show(name: str, processes: list[Memory]) -> None:
    sums = (sum(getattr(process, kind) for process in processes) for kind in ("pss", "uss", "rss"))
    line(name, *(f"{kib * 1024 / 1e6:.1f}" for kib in sums))
