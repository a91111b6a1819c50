"""What a run reports is judged, metric by metric, and kept for those after it, whatever is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.models.metric import MetricPoint
from app.models.run import Run
from app.services import supervision
from tests.integration.core.publishing_site import Collecting, Site, kill_at
from tests.integration.git_server import git

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Reporting(Collecting):
    """A backend whose tools write as many rows as the test wants, and a metrics.json where it wants one."""

    rows = 100
    numbers: dict[str, Any] | None = None

    def start(self, handle: str) -> None:
        super().start(handle)
        request = self.things[handle].request
        folder = Path(request.data_dir or "")
        (folder / f"data-{request.run_id}.csv").write_text("row\n" * self.rows)
        if self.numbers is not None:
            (folder / "metrics.json").write_text(json.dumps(self.numbers))


@pytest.fixture
def reporting(site: Site) -> Reporting:
    backend = Reporting(site.world._before)
    site.world.backend = site.backend = backend
    site.succeed()
    return backend


def points(site: Site, metric: str = "control") -> list[MetricPoint]:
    """Give the current points of a metric of the tool, in the order of their series."""
    query = select(MetricPoint).where(MetricPoint.metric == metric, MetricPoint.is_current)
    with site.world.database.transaction() as session:
        return list(session.scalars(query.order_by(MetricPoint.sort_key)))


def verdict(run: Run) -> dict[str, Any]:
    assert run.spike is not None
    return run.spike


def test_the_first_run_brings_the_control_files_of_others_into_the_series(site: Site, reporting: Reporting) -> None:
    run = site.run()
    found = [(point.label, point.value, point.source, point.run_id, point.standing) for point in points(site)]
    assert found == [
        *((f"control-000{day}.csv", 900.0, "file", None, "counted") for day in range(1, 4)),
        (f"control-{1000 + run.id}.csv", 900.0, "run", run.id, "counted"),
    ]
    assert (verdict(run)["status"], verdict(run)["metric"], verdict(run)["snapshots"]) == ("ok", "control", 4)


def test_an_anomalous_value_is_kept_and_judges_none_of_those_after_it(site: Site, reporting: Reporting) -> None:
    site.run()
    reporting.value = 5000
    flagged = site.run()
    reporting.value = 900
    later = site.run()
    assert [verdict(run)["status"] for run in (flagged, later)] == ["spike", "ok"]
    assert [(point.value, point.standing) for point in points(site)][-2:] == [(5000.0, "flagged"), (900.0, "counted")]
    assert verdict(later)["high"] < 1500


def test_every_number_of_a_metrics_file_is_judged_by_its_own_past(site: Site, reporting: Reporting) -> None:
    reporting.numbers = {"pages": 50, "pace": 2.5}
    for _ in range(4):
        site.run()
    reporting.numbers = {"pages": 5, "pace": 2.5}
    run = site.run()
    assert {name: found["status"] for name, found in verdict(run)["metrics"].items() if name in ("pages", "pace")} == {
        "pages": "drop",
        "pace": "ok",
    }
    assert (verdict(run)["status"], verdict(run)["metric"], verdict(run)["current"]) == ("drop", "pages", 5.0)
    assert "Data anomaly detected in pages" in (run.report or {})["text"]
    assert [point.run_id for point in points(site, "pages")][-1] == run.id


def test_numbers_that_are_written_again_as_they_were_are_reported_again(site: Site, reporting: Reporting) -> None:
    reporting.numbers = {"pages": 50}
    runs = [site.run() for _ in range(3)]
    assert [point.run_id for point in points(site, "pages")] == [run.id for run in runs]


def test_control_files_of_another_tool_in_the_clone_judge_nothing(site: Site, reporting: Reporting) -> None:
    site.run()
    reporting.value = 5
    other = site.run(name="other")
    labels = {point.label for point in points(site) if point.tool == "other" and point.source == "run"}
    assert labels == {f"control-{1000 + other.id}.csv"}
    with site.world.database.transaction() as session:
        taken = session.scalars(select(MetricPoint.label).where(MetricPoint.tool == "other")).all()
    assert f"control-{1000 + other.id - 1}.csv" not in taken


def test_data_that_are_kept_out_make_no_new_level_by_themselves(site: Site, reporting: Reporting) -> None:
    for _ in range(2):
        site.run(on_spike="quarantine")
    reporting.value = 5000
    held = [site.run(on_spike="quarantine") for _ in range(3)]
    assert [run.quarantine_state for run in held] == ["held"] * 3
    assert {point.standing for point in points(site) if point.value == 5000} == {"flagged"}


def test_a_control_file_without_a_number_in_its_name_is_told_by_its_run(
    site: Site, reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = reporting.start

    def under_one_name(handle: str) -> None:
        original(handle)
        request = reporting.things[handle].request
        folder = Path(request.data_dir or "")
        (folder / f"control-{1000 + request.run_id}.csv").replace(folder / "control-latest.csv")

    monkeypatch.setattr(reporting, "start", under_one_name)
    for value in (900, 901, 902):
        reporting.value = value
        run = site.run()
    assert [point.value for point in points(site) if point.source == "run"] == [900, 901, 902]
    assert verdict(run)["status"] == "ok"


def test_a_clone_of_another_repository_under_the_same_name_begins_anew(site: Site, reporting: Reporting) -> None:
    site.run()
    with site.world.database.transaction() as session:
        session.execute(update(Run).values(data_url="https://elsewhere.example.org/other.git"))
    run = site.run()
    assert {point.run_id for point in points(site)} == {None, run.id}


def test_a_tool_with_a_metrics_file_alone_misses_no_control_metric(site: Site, reporting: Reporting) -> None:
    git("rm", "-q", *(f"control-000{day}.csv" for day in range(1, 4)), cwd=site.origin.desk)
    site.origin.push({}, "no control metric")
    reporting.has_control, reporting.numbers = False, {"pages": 50}
    runs = [site.run() for _ in range(3)]
    assert [verdict(run)["status"] for run in runs] == ["not_enough_data", "not_enough_data", "ok"]


def test_a_tool_that_had_a_control_metric_misses_it(site: Site, reporting: Reporting) -> None:
    site.run()
    reporting.has_control, reporting.numbers = False, {"pages": 50}
    run = site.run()
    assert verdict(run)["status"] == "no_metric"
    assert "Tool wrote no control metric" in (run.report or {})["text"]


def test_what_is_measured_without_asking_alarms_and_keeps_nothing_out(site: Site, reporting: Reporting) -> None:
    for _ in range(4):
        site.run(on_spike="quarantine")
    reporting.rows = 1
    run = site.run(on_spike="quarantine")
    assert (verdict(run)["metrics"]["rows"]["status"], run.quarantine_state) == ("drop", None)
    assert verdict(run)["status"] == "drop"


def test_a_measured_metric_that_the_entry_names_keeps_data_out(site: Site, reporting: Reporting) -> None:
    entry = {"on_spike": "quarantine", "metrics": {"rows": {"threshold": 5}}}
    for _ in range(4):
        site.run(**entry)
    reporting.rows = 1
    assert site.run(**entry).quarantine_state == "held"


def test_a_metric_that_the_entry_switches_off_is_judged_by_nobody(site: Site, reporting: Reporting) -> None:
    entry = {"metrics": {"control": False, "rows": False, "bytes": False}}
    for value in (900, 900, 900, 9):
        reporting.value = value
        run = site.run(**entry)
    assert verdict(run)["status"] in ("ok", "not_enough_data")
    assert not {"control", "rows", "bytes"} & set(verdict(run)["metrics"])


def test_a_choice_that_cannot_be_used_keeps_the_value_and_is_said(site: Site, reporting: Reporting) -> None:
    run = site.run(metrics={"control": {"method": "gone"}})
    assert verdict(run)["status"] == "bad_metric"
    assert "Unknown method 'gone'" in verdict(run)["sentence"]
    assert points(site)[-1].value == 900.0


@pytest.mark.parametrize("on_spike", ["notify", "quarantine", "fail"])
def test_an_agent_that_is_killed_before_the_end_is_recorded_leaves_each_point_once(
    site: Site, reporting: Reporting, monkeypatch: pytest.MonkeyPatch, on_spike: str
) -> None:
    site.run()
    reporting.value = 5000
    kill_at(monkeypatch, supervision, "record_final", is_after=False)
    run = site.run_through_a_kill(on_spike=on_spike)
    with site.world.database.transaction() as session:
        rows = session.execute(select(MetricPoint.metric, MetricPoint.label)).all()
    assert len(rows) == len(set(rows))
    assert (verdict(run)["status"], points(site)[-1].run_id) == ("spike", run.id)


def test_a_label_that_is_reported_again_has_a_newer_point_and_keeps_the_older_one(
    site: Site, reporting: Reporting
) -> None:
    first = site.run()
    label = f"control-{1000 + first.id}.csv"
    original = reporting.start

    def overwriting(handle: str) -> None:
        folder = Path(reporting.things[handle].request.data_dir or "")
        original(handle)
        (folder / f"control-{1000 + reporting.things[handle].request.run_id}.csv").rename(folder / label)
        (folder / label).write_text("905\n")

    reporting.start = overwriting  # type: ignore[method-assign]
    second = site.run()
    with site.world.database.transaction() as session:
        rows = list(session.scalars(select(MetricPoint).where(MetricPoint.label == label).order_by(MetricPoint.id)))
    assert [(row.value, row.run_id, row.is_current) for row in rows] == [
        (900.0, first.id, False),
        (905.0, second.id, True),
    ]
