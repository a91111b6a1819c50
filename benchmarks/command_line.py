"""How long a user waits for `maoctl`, most of which is Python loading it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.engine import Engine
from benchmarks.figures import heading, spread, spread_heading
from benchmarks.product import CHECKOUT, Product

CALLS = 15
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "maoctl --version": ("-m", "cli.maoctl", "--version"),
    "maoctl run list": ("-m", "cli.maoctl", "run", "list"),
    "maoctl tool get": ("-m", "cli.maoctl", "tool", "get"),
}


def measure(product: Product, _: Engine) -> None:
    """Time commands from the start of their process to its end."""
    with product.running() as client:
        environment = {**os.environ, "MAO_URL": client.url, "MAO_TOKEN": client.token}
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _number in range(CALLS):
            for name, arguments in COMMANDS.items():
                times[name].append(_time(arguments, environment))
    heading(f"the command line: {CALLS} times each")
    spread_heading()
    for name, seconds in times.items():
        spread(name, seconds)


def _time(arguments: Sequence[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began
