"""The story of the demo: what its collector leaves, run by run, and what the default method finds in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from app.spike import DEFAULT_METHOD, Status, judge

COLLECTOR = Path(__file__).resolve().parents[2] / "examples" / "demo" / "collect.sh"


def collect(data: Path) -> None:
    """Run the collector once, as the process backend does."""
    environment = {"MAO_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"}
    subprocess.run(["/bin/sh", str(COLLECTOR)], env=environment, check=True, capture_output=True)


def figures(data: Path) -> list[float]:
    return [float(path.read_text(encoding="utf-8")) for path in sorted(data.glob("control-*.csv"))]


def test_the_first_run_brings_the_past_and_each_later_one_a_day(tmp_path: Path) -> None:
    counts = []
    for _ in range(3):
        collect(tmp_path)
        assert len(list(tmp_path.glob("latest-images-*.csv"))) == len(figures(tmp_path))
        counts.append(len(figures(tmp_path)))
    assert counts == [15, 16, 17]


def test_the_third_run_is_the_first_that_shows_an_anomaly(tmp_path: Path) -> None:
    found = []
    for _ in range(3):
        collect(tmp_path)
        found.append(judge(figures(tmp_path), DEFAULT_METHOD, {}, share=1.0).status)
    assert found == [Status.OK, Status.OK, Status.DROP]


def test_a_run_after_the_last_day_adds_nothing(tmp_path: Path) -> None:
    for _ in range(15):
        collect(tmp_path)
    assert len(figures(tmp_path)) == 26
