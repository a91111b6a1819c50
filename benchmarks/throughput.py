"""How many runs a minute, with so many at once, and how many the bare container engine would do."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.client import Client
from benchmarks.engine import Engine
from benchmarks.figures import heading, line, ms, ratio
from benchmarks.processes import CpuMeter
from benchmarks.product import TOOL, Product

CONCURRENCIES = (1, 4, 8)
BATCH = 20
ROUNDS = 4
_WARM_UP = 8
_GOAL_RATIO = 0.95


@dataclass
class _Batches:
    """Seconds of each batch, and the processor time of all batches of the product by its parts."""

    product: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)


def measure(product: Product, engine: Engine) -> None:
    """Run batches of the same containers through the product and on the bare engine, by turns."""
    heading(f"throughput: {ROUNDS} batches of {BATCH} runs each, by turns; goal of the ratio {_GOAL_RATIO}")
    line("runs a minute", "product", "bare engine", "ratio", "worst", "best")
    measured = {concurrency: _measure_at(product, engine, concurrency) for concurrency in CONCURRENCIES}
    print()
    line("processor time a run, ms", *next(iter(measured.values())).cpu)
    for concurrency, batches in measured.items():
        values = [ms(seconds / (BATCH * ROUNDS)) for seconds in batches.cpu.values()]
        line(f"  {concurrency} at once", *values)


def _measure_at(product: Product, engine: Engine, concurrency: int) -> _Batches:
    found = _Batches()
    with product.running(concurrency) as client:
        _run_batch(client, engine, _WARM_UP)
        engine.run_many(_WARM_UP, concurrency)
        for number in range(ROUNDS):
            if number % 2:
                found.engine.append(engine.run_many(BATCH, concurrency))
            meter = CpuMeter(product.processes)
            found.product.append(_run_batch(client, engine, BATCH))
            for name, seconds in meter.seconds().items():
                found.cpu[name] = found.cpu.get(name, 0.0) + seconds
            if not number % 2:
                found.engine.append(engine.run_many(BATCH, concurrency))
    _show(concurrency, found)
    return found


def _run_batch(client: Client, engine: Engine, count: int) -> float:
    """Submit ``count`` runs at once, and give the seconds until all are final and their containers removed."""
    began = time.perf_counter()
    for run_id in [client.submit(TOOL) for _ in range(count)]:
        client.final(run_id)
    engine.until_clean()
    return time.perf_counter() - began


def _show(concurrency: int, found: _Batches) -> None:
    runs = BATCH * ROUNDS * 60
    ratios = [theirs / ours for ours, theirs in zip(found.product, found.engine, strict=True)]
    line(
        f"  {concurrency} at once",
        f"{runs / sum(found.product):.0f}",
        f"{runs / sum(found.engine):.0f}",
        ratio(sum(found.engine) / sum(found.product)),
        ratio(min(ratios)),
        ratio(max(ratios)),
    )
