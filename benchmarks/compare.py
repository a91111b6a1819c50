"""What comparing two large CSV files takes: time, and the most memory at once, each in a process of its own."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.engine import Engine
from benchmarks.figures import heading, line
from benchmarks.product import CHECKOUT, Product

ROWS = 1_000_000
TIMES = 5
_COLUMNS = ("id", "name", "city", *(f"v{number}" for number in range(9)))
_CHANGED = 0.01
# Not from getrusage: what it says of a new process begins with the memory of the one that started it.
_REPORT = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
_OURS = """
import sys
from pathlib import Path
from app.compare import Options, compare_places
compare_places(Path(sys.argv[1]), Path(sys.argv[2]), Options(key=tuple(sys.argv[3:])))
"""
# What it takes to find the same rows; the cells that differ would come on top.
_DUCKDB = """
import sys
import duckdb
old, new = (f"read_csv('{name}', all_varchar = true, header = true)" for name in sys.argv[1:3])
names = ["name", "city", *(f"v{number}" for number in range(9))]
condition = " or ".join(f"o.{name} is distinct from n.{name}" for name in names)
duckdb.sql(f"select * from {old} o full join {new} n using (id) where {condition}").fetchall()
"""


def measure(*_: Product | Engine) -> None:
    """Compare pairs of files that differ in 1 % of their rows: in order, all quoted, and in another order."""
    with tempfile.TemporaryDirectory(prefix="mao-bench-") as folder:
        place = Path(folder)
        heading(f"comparing two CSV files of {ROWS} rows and {len(_COLUMNS)} columns, 1 % changed: {TIMES} times each")
        line("", "seconds", "CPU s", "peak MB")
        for name, write in {"in order": _plain, "every cell quoted": _quoted, "in another order": _shuffled}.items():
            write(place)
            _show(f"{name}, by key", _OURS, place, "id")
        _plain(place)
        _show("in order, whole rows", _OURS, place)
        if subprocess.run([sys.executable, "-c", "import duckdb"], capture_output=True).returncode == 0:
            _show("in order, by key, duckdb's join", _DUCKDB, place)


def _plain(place: Path) -> None:
    _write(place, str, lambda _: None)


def _quoted(place: Path) -> None:
    _write(place, lambda row: '"' + row.replace(",", '","') + '"', lambda _: None)


def _shuffled(place: Path) -> None:
    _write(place, str, random.Random(2).shuffle)


def _write(place: Path, written: Callable[[str], str], reorder: Callable[[list[str]], None]) -> None:
    chance = random.Random(1)
    rows = [",".join([str(number), *_numbers(chance)]) for number in range(ROWS)]
    for name in ("old.csv", "new.csv"):
        with (place / name).open("w") as file:
            file.writelines(f"{written(row)}\n" for row in (",".join(_COLUMNS), *rows))
        for number in chance.sample(range(ROWS), int(ROWS * _CHANGED)):
            rows[number] = rows[number].rpartition(",")[0] + ",changed"
        reorder(rows)


def _numbers(chance: random.Random) -> list[str]:
    return [str(chance.randrange(10**6)) for _ in _COLUMNS[1:]]


def _show(name: str, code: str, place: Path, *key: str) -> None:
    seconds, cpu_seconds, kib = [], [], []
    for _ in range(TIMES):
        command = [sys.executable, "-c", code + _REPORT, str(place / "old.csv"), str(place / "new.csv"), *key]
        began, cpu_began = time.perf_counter(), _cpu_seconds()
        done = subprocess.run(command, cwd=CHECKOUT, env=dict(os.environ), capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - began)
        cpu_seconds.append(_cpu_seconds() - cpu_began)
        kib.append(int(done.stdout.split()[-1]))
    line(name, f"{median(seconds):.2f}", f"{median(cpu_seconds):.2f}", f"{median(kib) * 1024 / 1e6:.0f}")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
