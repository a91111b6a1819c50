"""The original rule on a series that was really collected: one row a day, eleven counts of images."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from app.spike import Status, judge

SERIES = Path(__file__).parents[2].parent / "shared" / "data" / "dockerhub-library-counts.csv"
SPIKES = {
    "tag_count": 0,
    "image_count": 0,
    "latest_images": 4,
    "arm_images": 1,
    "arm64_images": 3,
    "ppc64le_images": 21,
    "x386_images": 0,
    "amd64_images": 0,
    "s390x_images": 0,
    "linux_images": 0,
    "windows_images": 65,
}

pytestmark = pytest.mark.skipif(not SERIES.is_file(), reason=f"the real series is not at {SERIES}")


def _rows() -> list[dict[str, str]]:
    with SERIES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _spikes(column: str) -> list[tuple[str, float]]:
    """Judge each row from the third on with only the rows before it."""
    rows = _rows()
    values: list[float | None] = [float(row[column]) for row in rows]
    found = []
    for count in range(3, len(rows) + 1):
        verdict = judge(values[:count], "rolling")
        assert verdict.status in (Status.OK, Status.SPIKE)
        if verdict.status is Status.SPIKE:
            assert verdict.gain_percent is not None
            found.append((rows[count - 1]["date"][:10], round(verdict.gain_percent, 2)))
    return found


def test_the_series_has_the_207_decisions_that_the_counts_are_for() -> None:
    assert len(_rows()) - 2 == 207
    assert set(_rows()[0]) == {"date", *SPIKES}


@pytest.mark.parametrize("column", SPIKES)
def test_the_rule_finds_the_known_number_of_spikes(column: str) -> None:
    assert len(_spikes(column)) == SPIKES[column]


def test_the_spikes_of_the_newest_images_are_those_four_days() -> None:
    assert _spikes("latest_images") == [
        ("2020-01-18", -6.14),
        ("2020-03-24", -9.08),
        ("2020-04-01", 6.46),
        ("2020-04-24", -6.36),
    ]
