"""Series of metrics: what a run reports, put in order with what is stored, and judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.tool import Tool
from app.repositories.metrics import SeriesName, StoredPoint
from app.services.dated_names import order_key
from app.services.metric_choices import MEASURED, Choice, choice_of, is_declared, shares
from app.services.metric_series import judge_reported
from app.services.reported_metrics import METRICS_BYTES, MOST_METRICS, Reported, read_metrics, report_of_run
from app.services.sort_keys import key_of_name, key_of_time, printable
from app.spike import Standing, Status

NAME = SeriesName("data", "spike", "control")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROLLING = Choice("rolling")


def _tool(**metrics: object) -> Tool:
    return Tool("spike", "Ada", "image", "data", "", "", metrics=metrics)


def _reported(number: int, value: float | None, reason: str = "") -> Reported:
    name = f"control-{number}.csv"
    return Reported(name, key_of_name(name), NOW + timedelta(days=number), value, str(value), reason)


def _stored(number: int, value: float | None, standing: Standing = Standing.COUNTED) -> StoredPoint:
    name = f"control-{number}.csv"
    return StoredPoint(number, name, key_of_name(name), NOW + timedelta(days=number), value, standing)


@given(st.lists(st.from_regex(r"control-[0-9]{1,6}([-_.][0-9]{1,3}){0,3}[a-z]{0,2}\.csv", fullmatch=True), min_size=2))
def test_the_keys_of_names_sort_as_bytes_in_the_order_of_their_dates_and_numbers(names: list[str]) -> None:
    by_key = sorted(set(names), key=lambda name: key_of_name(name).encode())
    assert by_key == sorted(set(names), key=order_key)


def test_the_keys_of_times_sort_by_time_then_by_number() -> None:
    earlier = NOW.astimezone(UTC) - timedelta(microseconds=1)
    keys = [key_of_time(earlier, 9), key_of_time(NOW, 2), key_of_time(NOW, 10)]
    assert sorted(keys) == keys


def test_a_name_that_is_not_utf_8_is_written_with_escapes() -> None:
    assert printable(b"control-\xff1.csv".decode("utf-8", "surrogateescape")) == "control-\\xff1.csv"


def test_files_that_nobody_reported_are_judged_in_their_places_and_stored() -> None:
    judged = judge_reported(NAME, [_stored(2, 100.0)], [_reported(1, 100.0), _reported(3, 150.0)], ROLLING)
    assert judged.verdict.status is Status.SPIKE
    assert [(point.label, point.status) for point in judged.change.points] == [
        ("control-1.csv", "not_enough_data"),
        ("control-3.csv", "spike"),
    ]
    assert judged.change.standings == {}


def test_an_older_point_with_the_label_that_is_reported_is_not_its_own_past() -> None:
    stored = [_stored(1, 100.0), _stored(2, 100.0), _stored(3, 900.0)]
    judged = judge_reported(NAME, stored, [_reported(3, 100.0)], ROLLING)
    assert (judged.verdict.status, judged.verdict.snapshots) == (Status.OK, 3)


def test_points_that_a_person_took_out_judge_nothing() -> None:
    stored = [_stored(1, 100.0), _stored(2, 100.0), _stored(3, 900.0, Standing.EXCLUDED)]
    assert judge_reported(NAME, stored, [_reported(4, 100.0)], ROLLING).verdict.status is Status.OK


def test_a_value_that_is_no_number_says_what_is_wrong_with_the_file() -> None:
    verdict = judge_reported(NAME, [], [_reported(2, None, "does not begin with a number")], ROLLING).verdict
    assert verdict.status is Status.BAD_METRIC
    assert verdict.sentence == "The newest control file does not begin with a number."


def test_a_run_reports_its_control_file_its_metrics_file_and_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "control-2026-11-21.csv").write_text("900\n")
    (tmp_path / "metrics.json").write_text('{"pages": 12, "share": 0.5}')
    report = report_of_run(tmp_path, ["control-2026-11-21.csv", "metrics.json"], {"rows": 7.0, "other": 1.0}, 41, NOW)
    assert {name: (point.label, point.value) for name, point in report.metrics.items()} == {
        "control": ("control-2026-11-21.csv", 900.0),
        "rows": ("run-41", 7.0),
        "pages": ("run-41", 12.0),
        "share": ("run-41", 0.5),
    }
    assert report.metrics["control"].measured_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert report.metrics["pages"].measured_at == NOW


def test_a_metrics_file_that_the_run_did_not_write_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"pages": 12}')
    assert report_of_run(tmp_path, [], {}, 41, NOW).metrics == {}


def test_a_metrics_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text('{"pages": 12}')
    (tmp_path / "metrics.json").symlink_to(tmp_path / "elsewhere")
    report = report_of_run(tmp_path, ["metrics.json"], {}, 41, NOW)
    assert (report.metrics, len(report.warnings)) == ({}, 1)


@pytest.mark.parametrize(
    ("content", "value", "reason"),
    [
        (b'{"a": 12}', 12.0, ""),
        (b'{"a": -1.5e3}', -1500.0, ""),
        (b'{"a": NaN}', None, "is not a finite number"),
        (b'{"a": Infinity}', None, "is not a finite number"),
        (b'{"a": 1e999}', None, "is not a finite number"),
        (b'{"a": ' + b"9" * 5000 + b"}", None, "is not a finite number"),
        (b'{"a": "12"}', None, "is not a number"),
        (b'{"a": null}', None, "is not a number"),
        (b'{"a": true}', None, "is not a number"),
        (b'{"a": [1]}', None, "is not a number"),
    ],
)
def test_what_a_metrics_file_says_of_a_metric(content: bytes, value: float | None, reason: str) -> None:
    metrics, warnings = read_metrics(content)
    assert (metrics["a"][0], metrics["a"][2], warnings) == (value, reason, [])


@pytest.mark.parametrize(
    "content",
    [None, b"", b"[1]", b"12", b"{", b"[" * 60_000, b"\xff\xfe", b'{"a": 1}' + b" " * METRICS_BYTES],
)
def test_a_metrics_file_that_cannot_be_used_is_a_warning(content: bytes | None) -> None:
    metrics, warnings = read_metrics(content)
    assert metrics == {}
    assert warnings
    assert warnings[0].startswith("metrics.json was not read")


def test_names_that_are_taken_or_no_names_are_left_out_with_a_warning() -> None:
    metrics, warnings = read_metrics(b'{"control": 1, "rows": 2, "incidents": 3, "../a": 4, "": 5, "good": 6}')
    assert list(metrics) == ["good"]
    assert len(warnings) == 1


def test_at_most_so_many_metrics_are_taken() -> None:
    content = "{" + ", ".join(f'"m{number}": {number}' for number in range(MOST_METRICS + 1)) + "}"
    metrics, warnings = read_metrics(content.encode())
    assert (len(metrics), len(warnings)) == (MOST_METRICS, 1)


def test_a_metric_that_the_entry_switches_off_is_not_judged() -> None:
    assert choice_of(_tool(rows=False), "rows") is None
    assert choice_of(_tool(rows={"method": "mad", "threshold": 4}), "rows") == Choice("mad", {"threshold": 4})


def test_a_percentage_without_a_method_is_of_the_original_rule() -> None:
    percent = {"threshold_percent": 20}
    assert choice_of(_tool(control=percent), "control") == Choice("rolling", percent)
    assert choice_of(_tool(control={}), "control") == Choice()


def test_what_is_measured_without_asking_is_declared_by_naming_it() -> None:
    assert is_declared(_tool(), "control")
    assert is_declared(_tool(), "pages")
    assert not any(is_declared(_tool(), metric) for metric in MEASURED)
    assert is_declared(_tool(rows={}), "rows")


def test_all_metrics_of_a_run_share_one_rate_of_false_alarms() -> None:
    assert shares(_tool(), ["control"]) == {"control": 1.0}
    assert shares(_tool(), ["rows", "files"]) == {"rows": 0.5, "files": 0.5}
    several = shares(_tool(), ["control", "pages", "pace", *MEASURED])
    assert several["control"] == 0.25
    assert sum(several.values()) == pytest.approx(1.0)
