"""What git costs a run: refresh without news, baseline and commit, by length of the history and number of files."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from app.repositories.workdirs import Workdirs
from app.settings import Git
from benchmarks.engine import Engine
from benchmarks.figures import heading, line, ms
from benchmarks.product import Product

_ROUNDS = 9
_PER_FOLDER = 1000
# commits, files
_SHAPES = ((100, 100), (50_000, 100), (100, 100_000))
_WHO = b"A. Researcher <researcher@example.org>"


def measure(product: Product, engine: Engine) -> None:
    """Print the median milliseconds of each step, one column a repository."""
    del product, engine
    heading("what git costs a run, by commits / files of the data set")
    columns = [_steps(commits, files) for commits, files in _SHAPES]
    line("milliseconds, median", *(f"{commits}/{files}" for commits, files in _SHAPES))
    for name in columns[0]:
        line(name, *(ms(column[name]) for column in columns))


def _steps(commits: int, files: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="mao-bench-") as folder:
        origin = _origin(Path(folder) / "origin.git", commits, files)
        workdirs = Workdirs(Git(allow_local=True), Path(folder) / "clones")
        begun = time.perf_counter()
        workdirs.clone("data", str(origin))
        cloned = time.perf_counter() - begun
        tree, numbers = workdirs.path("data"), count(1)

        def write() -> int:
            number = next(numbers)
            (tree / f"new-{number}.csv").write_text(f"{number}\n")
            return number

        def committed(number: int) -> object:
            return workdirs.commit("data", "sync", {"Mao-Tool": "bench"}, number)

        return {
            "clone (once)": cloned,
            "refresh without news": _median(lambda: None, lambda _: workdirs.refresh("data", str(origin))),
            "baseline": _median(lambda: None, lambda _: workdirs.baseline("data")),
            "commit of one new file": _median(write, committed),
            "state": _median(lambda: None, lambda _: workdirs.state("data")),
        }


def _median(prepare: Callable[[], Any], step: Callable[[Any], object]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        given = prepare()
        begun = time.perf_counter()
        step(given)
        seconds.append(time.perf_counter() - begun)
    return median(seconds)


def _origin(bare: Path, commits: int, files: int) -> Path:
    """Make a repository in which the first commit has all files, and each later one changes one of them."""
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=bare, stdin=subprocess.PIPE) as importer:
        assert importer.stdin
        for piece in _stream(commits, files):
            importer.stdin.write(piece)
    assert importer.returncode == 0
    return bare


def _stream(commits: int, files: int) -> Iterator[bytes]:
    for number in range(1, commits + 1):
        yield b"commit refs/heads/main\ncommitter %s %d +0000\ndata 5\nsync\n" % (_WHO, 1_600_000_000 + 600 * number)
        for file in range(files) if number == 1 else [number % files]:
            content = b"%d,%d\n" % (number, file)
            path = b"%d/%d.csv" % (file // _PER_FOLDER, file)
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(content), content)
