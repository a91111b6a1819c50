"""What is measured of each good run, in a real clone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.models.dataset import Dataset
from app.models.run import Run, RunStatus
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.repositories.workdirs import Workdirs
from app.services import run_metrics
from app.services.run_metrics import Measurement, measured
from app.services.table_changes import table_changes
from tests.integration.clones.sights import SETTINGS
from tests.integration.core.publishing_site import Site
from tests.integration.core.world import World
from tests.integration.git_server import Origin

TABLE = "package,version,size\na,1,10\nb,1,20\nc,1,30\n"


class Desk:
    """A clone in which runs write, and what is measured of them."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.origin = Origin(folder / "data.git")
        self.origin.push({"rows.csv": TABLE, "days/rows-2026-01-01.csv": TABLE, "README": "about"})
        self.workdirs = Workdirs(SETTINGS, folder / "clones")
        self.workdirs.clone("data", str(self.origin.bare))
        registry = Registry(MemoryKv())
        registry.add_dataset(Dataset("data", str(self.origin.bare), key=("package",)))
        self.context = replace(world.begin()[0], workdirs=self.workdirs, registry=registry)

    def measure(self, files: dict[str, str | bytes | None], **columns: Any) -> dict[str, float]:
        """Write as a run would, and give its metrics; None removes a file."""
        return self.measurement(files, **columns).metrics

    def measurement(self, files: dict[str, str | bytes | None], **columns: Any) -> Measurement:
        tree = self.workdirs.path("data")
        baseline = self.workdirs.baseline("data")
        for name, content in files.items():
            path = tree / name
            path.parent.mkdir(exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        known = {"id": 1, "clone": "data", "baseline_tree": baseline, "tool_entry": self.entry("data")}
        return measured(self.context, Run(**{**known, **columns}), self.workdirs.baseline("data"))

    def entry(self, data_repo: str) -> dict[str, Any]:
        named = dict.fromkeys(("author", "image", "code_repo", "artefact"), "")
        return {"name": "spike", **named, "data_repo": data_repo}


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Desk:
    return Desk(world, tmp_path)


def test_a_changed_table_is_counted_by_the_key_of_its_data_set(desk: Desk) -> None:
    table = "package,version,size\na,2,11\nc,1,30\nd,1,40\ne,1,50\n"
    assert desk.measure({"rows.csv": table, "control-1.csv": "4\n", "README": None}) == {
        "files": 2.0,
        "rows": 6.0,
        "bytes": float(len(table) + 2),
        "added_rows": 2.0,
        "removed_rows": 1.0,
        "changed_rows": 1.0,
        "changed_cells": 2.0,
    }


def test_a_dated_table_is_compared_with_the_day_before_and_without_a_key_by_whole_rows(desk: Desk) -> None:
    table = TABLE.replace("a,1", "a,2")
    metrics = desk.measure({"days/rows-2026-01-02.csv": table}, tool_entry=desk.entry("https://x/y.git"))
    assert (metrics["added_rows"], metrics["removed_rows"]) == (1.0, 1.0)
    assert (metrics["changed_rows"], metrics["changed_cells"]) == (0.0, 0.0)


def test_where_nothing_was_before_or_no_table_was_written_no_difference_is_counted(desk: Desk) -> None:
    assert desk.measure({"new.csv": "a\n"}) == {"files": 1.0, "rows": 1.0, "bytes": 2.0}
    assert desk.measure({"a.png": b"\0\n", "b.png": b"\0\n", "c.txt": "x"}) == {"files": 3.0, "rows": 1.0, "bytes": 5.0}
    assert desk.measure({}) == {"files": 0.0, "rows": 0.0, "bytes": 0.0}


def test_tables_beyond_the_limit_are_not_compared(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = partial(table_changes, most_bytes=2 * len(TABLE))
    with monkeypatch.context() as patch:
        patch.setattr(run_metrics, "table_changes", limited)
        made = desk.measurement({"rows.csv": TABLE + "d,1,40\n"})
        assert made.metrics.keys() == {"files", "rows", "bytes"}
        assert made.warnings == ["Changed rows were not counted: the files are too large."]
    assert desk.measure({"rows.csv": TABLE})["removed_rows"] == 1.0


def test_how_long_the_tool_ran_is_measured_of_good_runs_only(world: World) -> None:
    good = world.add()
    _, dispatcher = world.begin()
    dispatcher.step()
    run = world.until(good, RunStatus.SUCCEEDED)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.metrics == {"duration_seconds": round((run.ended_at - run.started_at).total_seconds(), 3)}
    world.backend.exit_code = 3
    bad = world.add()
    dispatcher.step()
    assert world.until(bad, RunStatus.FAILED).metrics == {}


def test_what_cannot_be_measured_is_absent_and_fails_nothing(desk: Desk) -> None:
    assert desk.measure({"rows.csv": "x\n"}, clone=None) == {}
    assert desk.measure({"rows.csv": "y\n"}, baseline_tree="0" * 40) == {}
    assert measured(desk.context, Run(id=1, clone="gone", baseline_tree="0" * 40), "0" * 40) == Measurement()


def test_what_takes_too_long_is_left_out_and_the_record_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_metrics, "_SECONDS", 0.0)
    run = site.run()
    assert run.status == RunStatus.SUCCEEDED
    assert run.metrics.keys() == {"files", "bytes", "duration_seconds"}
    assert run.warnings == ["Rows were not counted: the files are too large."]
