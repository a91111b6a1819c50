"""What a tool that prints without end costs the agent: memory and processor time while it prints a gigabyte."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.engine import Engine
from benchmarks.figures import heading, line
from benchmarks.image import IMAGE
from benchmarks.processes import cpu_seconds, memory
from benchmarks.product import TOOL, Product

PRINTED_BYTES = 2**30
LIMIT_BYTES = 8 * 2**20
_GOAL_MB = 200
_TOOL = "chatty"
_SCRIPT = f"/bin/busybox yes 'a line of some length, printed again and again' | /bin/busybox head -c {PRINTED_BYTES}"


def measure(product: Product, engine: Engine) -> None:
    """Let a tool print a gigabyte, of which the product keeps little, and look at the agent meanwhile."""
    before = product.settings
    product.settings = replace(before, limits=replace(before.limits, output_bytes=LIMIT_BYTES))
    try:
        _measure(product, engine)
    finally:
        product.settings = before


def _measure(product: Product, engine: Engine) -> None:
    heading(f"a tool that prints 1 GiB, of which {LIMIT_BYTES >> 20} MiB are kept; goal {_GOAL_MB} MB of RSS")
    with product.running() as client:
        client.final(client.submit(TOOL))
        agent = product.processes["agent"]
        resting, used = _rss(agent), cpu_seconds(agent)
        entry = {"name": _TOOL, "author": "bench", "image": IMAGE, "data_repo": "", "code_repo": "", "artefact": ""}
        command = ["/bin/busybox", "sh", "-c", _SCRIPT]
        client.post("/api/tools", {**entry, "command": command, "network": "none"}, accepted=(201, 409))
        began = time.perf_counter()
        run = client.final(client.submit(_TOOL))
        took = time.perf_counter() - began
        engine.until_clean()
        peak, used = _peak(agent), cpu_seconds(agent) - used
    line("RSS of the agent before, MB", f"{resting / 1e6:.1f}")
    line("its highest RSS since it began, MB", f"{peak / 1e6:.1f}")
    line("processor time of the agent, s", f"{used:.1f}")
    line("the run, s", f"{took:.1f}")
    print(f"  the record says: {' '.join(run['warnings'])}")


def _rss(pid: int) -> int:
    return memory(pid).rss * 1024


def _peak(pid: int) -> int:
    """Give the most bytes that were resident at any time, as the kernel has noted it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(each.split()[1]) * 1024 for each in lines if each.startswith("VmHWM"))
