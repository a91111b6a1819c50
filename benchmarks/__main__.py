"""Measure everything, or what is named: ``python -m benchmarks [latency] [throughput] ...``.

Needs a container engine, a static busybox, and the programs of PostgreSQL and etcd. What is started is stopped.
``spike`` and ``spike_feed`` need none of these, and have options of their own: ``python -m benchmarks spike --help``.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module

from benchmarks import machine
from benchmarks.engine import Engine
from benchmarks.product import Product

MEASUREMENTS = (
    "idle",
    "start_up",
    "latency",
    "throughput",
    "command_line",
    "due_jobs",
    "tool_list",
    "output",
    "long_output",
    "history",
    "git_steps",
    "compare",
    "snapshots",
)
STUDIES = ("spike", "spike_feed")
"""They measure how good a judgement is, not what it costs; each stands first, and takes what follows."""


def main() -> int:
    """Measure, and give the exit status."""
    if len(sys.argv) > 1 and sys.argv[1] in STUDIES:
        status: int = import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
        return status
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what the product costs.")
    known = f"one of: {', '.join(MEASUREMENTS)}; or, alone, with options of its own: {', '.join(STUDIES)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=known)
    names = parser.parse_args().names or MEASUREMENTS
    if unknown := set(names) - set(MEASUREMENTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    # Leaving by an exception is what stops all that was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    machine.show_load("at the beginning")
    machine.warn_if_busy()
    with Product() as product, Engine(product.settings) as engine:
        machine.describe(engine.version)
        for name in names:
            # Loaded when its turn comes, so that what it needs is not in memory while the one before measures.
            import_module(f"benchmarks.{name}").measure(product, engine)
    machine.show_load("at the end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
