"""How long it takes until the snapshots of a long history are known, and to list them then."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.client import Client
from benchmarks.engine import Engine
from benchmarks.figures import heading, line
from benchmarks.product import Product

COMMITS = 5_000
ROWS = 2_000
DAY_ROWS = 20
_CHANGED_ROWS = 40
_PAGE = 500
_LISTINGS = 5
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 600.0
_FIRST_SECOND = 1_600_000_000
_DAY_SECONDS = 86_400
NAME = "history"


def measure(product: Product, _: Engine) -> None:
    """Write a history, let the product clone it, and wait until every snapshot is listed."""
    bare = product.folder / f"{NAME}.git"
    _write_history(bare)
    heading(f"snapshots of {COMMITS:,} commits: a CSV of {ROWS:,} rows overwritten, and a dated file each")
    line("seconds", "")
    with product.running() as client:
        client.post("/api/datasets", {"name": NAME, "url": f"file://{bare}"}, accepted=(201,))
        line("until the clone is there", _seconds(_clone(client)))
        line("from then until all snapshots are known", _seconds(_until_complete(client)))
        times = sorted(_list_all(client) for _ in range(_LISTINGS))
        line(f"list all of them, {_PAGE} a page, median", _seconds(times[_LISTINGS // 2]))
        _write(bare, [_commit(COMMITS, _rows(Random(COMMITS)), "refs/heads/main^0")])
        line("one commit more: until the clone has it", _seconds(_clone(client)))
        line("from then until its snapshot is known", _seconds(_until_complete(client)))


def _write_history(bare: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
    _write(bare, _commits())
    subprocess.run(["git", "gc", "-q"], cwd=bare, check=True)


def _write(bare: Path, commits: Iterator[bytes] | list[bytes]) -> None:
    program = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=bare, stdin=subprocess.PIPE)
    assert program.stdin
    program.stdin.writelines(commits)
    program.stdin.close()
    if program.wait() != 0:
        raise RuntimeError("The history could not be written.")


def _commits() -> Iterator[bytes]:
    random = Random(1)
    rows = _rows(random)
    for number in range(COMMITS):
        for _ in range(_CHANGED_ROWS):
            place = random.randrange(ROWS)
            rows[place] = _row(place, random)
        yield _commit(number, rows)


def _rows(random: Random) -> list[str]:
    return [_row(place, random) for place in range(ROWS)]


def _row(place: int, random: Random) -> str:
    return f"{place},package-{place},{random.randrange(10**6)},{random.random():.6f},2026-01-01T00:00:00Z\n"


def _commit(number: int, rows: list[str], onto: str = "") -> bytes:
    at = _FIRST_SECOND + number * _DAY_SECONDS
    day = time.strftime("%Y-%m-%d", time.gmtime(at))
    files = {"all.csv": "".join(rows), f"days/{day}.csv": "".join(rows[:DAY_ROWS])}
    head = f"commit refs/heads/main\ncommitter A <a@example.org> {at} +0000\ndata 15\nsync {day}"
    parts = [head, "\n", f"from {onto}\n" if onto else ""]
    parts += [f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items()]
    return "".join([*parts, "\n"]).encode()


def _clone(client: Client) -> float:
    began = time.perf_counter()
    address = f"/api/datasets/{NAME}/clone"
    client.post(address, {})
    while (state := client.get(address))["state"] != "READY":
        if state["state"] == "FAILED":
            raise RuntimeError(f"The clone failed: {state['message']}")
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - began


def _until_complete(client: Client) -> float:
    began = time.perf_counter()
    while not client.get(f"/api/datasets/{NAME}/snapshots?limit=1")["isComplete"]:
        if time.perf_counter() - began > _PATIENCE_SECONDS:
            raise TimeoutError("The snapshots did not become known.")
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - began


def _list_all(client: Client) -> float:
    began = time.perf_counter()
    cursor, count = "", 0
    while cursor is not None:
        page = client.get(f"/api/datasets/{NAME}/snapshots?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else ""))
        cursor = page["next"]
        count += len(page["items"])
    if count < COMMITS:
        raise RuntimeError(f"Only {count} of {COMMITS} snapshots were listed.")
    return time.perf_counter() - began


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}"
