"""How the permitted false alarms are shared among metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.services.metric_choices import reported_together, share_of
from app.services.metrics import bare_entry

NOW = datetime(2026, 1, 9, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)


def test_what_the_newest_run_reported_is_together_with_the_control_metric() -> None:
    newest = {"rows": (NOW, "run-9"), "stars": (NOW, "run-9"), "old": (BEFORE, "run-8")}
    control = {"control": (BEFORE, "control-2026-01-08.csv")}
    assert reported_together(newest | control) == {"rows", "stars", "control"}
    assert reported_together(newest) == {"rows", "stars"}
    assert reported_together(control) == {"control"}
    assert reported_together({}) == set()


def test_the_dates_of_one_commit_are_together() -> None:
    newest = {"stars": (BEFORE, "commit-ab"), "rows": (NOW, "commit-ab data-2026-01-09.csv")}
    assert reported_together(newest) == {"rows", "stars"}


def test_a_metric_of_former_times_shares_with_those_of_today_and_takes_nothing_from_them() -> None:
    tool = bare_entry("spike")
    assert share_of(tool, "control", {"control", "rows"}) == pytest.approx(0.75)
    assert share_of(tool, "old", {"control", "rows"}) == pytest.approx(0.375)
