"""The main job on real input: a container collects one day after the other, and each day is judged and published.

The series is that of the Docker Hub library, 209 days with 11 metrics. Some days of two metrics are run by default, all
days of them with the long tests, and all days of all metrics with ``tox -e series``.
"""

from __future__ import annotations

import csv
import os
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.images import build
from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker

SERIES = Path(__file__).parents[3].parent / "shared" / "data" / "dockerhub-library-counts.csv"
HITS = {
    "latest_images": 4,
    "windows_images": 65,
    "tag_count": 0,
    "image_count": 0,
    "arm_images": 1,
    "arm64_images": 3,
    "ppc64le_images": 21,
    "x386_images": 0,
    "amd64_images": 0,
    "s390x_images": 0,
    "linux_images": 0,
}
LATEST_IMAGES_GAINS = {"2020-01-18": -6.14, "2020-03-24": -9.08, "2020-04-01": 6.46, "2020-04-24": -6.36}
ALL_DAYS = 209
SOME_DAYS = slice(47, 72)
SOME_HITS = {"latest_images": 1, "windows_images": 5}
ORIGINAL_RULE = {
    "control": {"method": "rolling"},
    **dict.fromkeys(("rows", "files", "bytes", "duration_seconds"), False),
}
METRICS = tuple(HITS) if os.environ.get("MAO_TEST_ALL_METRICS") else ("latest_images", "windows_images")

COLLECTOR = b"""#!/bin/sh
# Write the control file of the first day that is not there yet.
day=$(( $(ls | grep -c '^control-') + 1 ))
line=$(sed -n "${day}p" "/series/$METRIC")
echo "${line#* }" > "control-${line% *}.csv"
echo "collected ${line% *}"
"""


@pytest.fixture(params=[SOME_DAYS, pytest.param(slice(None), marks=pytest.mark.long)], ids=["some-days", "all-days"])
def days(request: pytest.FixtureRequest) -> list[dict[str, str]]:
    if not SERIES.exists():
        pytest.fail("The series of the Docker Hub library is not beside the checkout.", pytrace=False)
    with SERIES.open(newline="") as file:
        return [{**row, "date": row["date"].split()[0]} for row in csv.DictReader(file)][request.param]


@pytest.fixture
def hits(days: list[dict[str, str]]) -> dict[str, int]:
    """How many spikes there are in each metric that is run."""
    return {metric: HITS[metric] for metric in METRICS} if len(days) == ALL_DAYS else SOME_HITS


@pytest.fixture
def collector(docker_socket: str, days: list[dict[str, str]], hits: dict[str, int]) -> str:
    files = {f"series/{metric}": "".join(f"{day['date']} {day[metric]}\n" for day in days).encode() for metric in hits}
    return build(
        "mao-test/collector:1",
        files={**files, "collect.sh": COLLECTOR},
        changes=["WORKDIR /usr/src/app/data", 'ENTRYPOINT ["/collect.sh"]'],
        is_forced=True,
    )


def _dataset(product: Product, metric: str) -> str:
    remote = product.folder / f"{metric}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    return f"file://{remote}"


def _log(product: Product, metric: str, form: str) -> list[str]:
    folder = product.settings.working_environment.importdir / metric.replace("_", "-")
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "log", "--reverse", f"--format={form}"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def _report(product: Product, run_id: int) -> dict[str, Any]:
    return dict(product.call("GET", f"/api/runs/{run_id}/report").json())


def test_every_day_is_collected_once_judged_as_expected_and_published(
    product: Product, collector: str, days: list[dict[str, str]], hits: dict[str, int], engine: Any
) -> None:
    product.start()
    submitted: dict[str, list[int]] = {}
    for metric in hits:
        name = metric.replace("_", "-")
        wanted = {"data_repo": _dataset(product, metric), "env": {"METRIC": metric}, "metrics": ORIGINAL_RULE}
        product.add_tool(name, collector, [], **wanted)
    for _ in days:
        for metric in hits:
            submitted.setdefault(metric, []).append(product.submit(metric.replace("_", "-")))
    messages = 0
    for metric, run_ids in submitted.items():
        product.final(run_ids[-1], seconds=900)
        messages += _check_metric(product, metric, run_ids, days, hits[metric])
    product.until(lambda: len(_told(product)) >= messages, "everything is told")
    assert len(_told(product)) == messages
    left = product.settings.node
    product.until(
        lambda: not engine.containers(all=True, filters={"label": f"mao.node={left}"}), "every container is removed"
    )


def _told(product: Product) -> list[dict[str, Any]]:
    return list(product.call("GET", "/api/notifications?limit=500").json()["items"])


def _check_metric(product: Product, metric: str, run_ids: list[int], days: list[dict[str, str]], hits: int) -> int:
    """Check one metric's runs, and give how many messages there are of them: one for each end of a row of spikes."""
    runs = [product.run(run_id) for run_id in run_ids]
    assert {run["status"] for run in runs} == {"SUCCEEDED"}
    verdicts = [run["spike"]["status"] for run in runs]
    assert verdicts[:2] == ["not_enough_data"] * 2
    assert verdicts.count("spike") == hits
    assert len(verdicts) == len(days)
    commits = _log(product, metric, "%H")
    assert [run["outputCommit"] for run in runs] == commits
    assert _log(product, metric, "%(trailers:key=Mao-Run,valueonly,separator=%x2C)") == [str(run["id"]) for run in runs]
    _check_snapshots(product, metric, runs)
    spikes = {day["date"]: run for day, run in zip(days, runs, strict=True) if run["spike"]["status"] == "spike"}
    if metric == "latest_images":
        gains = {date: round(run["spike"]["gainPercent"], 2) for date, run in spikes.items()}
        assert gains == dict(list(LATEST_IMAGES_GAINS.items())[:hits])
        first = _report(product, spikes["2020-01-18"]["id"])
        assert "Gain:-6.1" in first["text"]
        assert first["verdict"] == "spike"
    return sum(now != before for before, now in pairwise(verdict == "spike" for verdict in verdicts))


def _check_snapshots(product: Product, metric: str, runs: list[dict[str, Any]]) -> None:
    address = f"/api/datasets/{metric.replace('_', '-')}/snapshots?limit=500"
    product.until(lambda: product.call("GET", address).json().get("isComplete"), "every commit was looked at")
    shown = product.call("GET", address).json()["items"]
    facts = ("commit", "runId", "verdict", "files", "rows", "bytes")
    measured = ("files", "rows", "bytes")
    assert [[item[name] for name in facts] for item in reversed(shown)] == [
        [run["outputCommit"], run["id"], run["spike"]["status"], *(run["metrics"][name] for name in measured)]
        for run in runs
    ]
