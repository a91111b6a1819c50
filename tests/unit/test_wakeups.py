"""What the agent makes of what it was told."""

from __future__ import annotations

import pytest

from app.services.wakeups import Wakeup


@pytest.mark.parametrize(
    ("runs", "is_so"), [([], False), (["3:FAILED", "4:RUNNING"], False), (["3:FAILED", "4:SUCCEEDED"], True)]
)
def test_a_run_that_succeeded_may_have_pushed_something(runs: list[str], is_so: bool) -> None:
    assert Wakeup(runs=runs).has_good_runs is is_so
