"""By what a run is bound to the run that it repeats."""

from __future__ import annotations

import pytest

from app.models.run import Run
from app.services.replay_plans import ReplayPlan, pinned_image, plan_of

DIGEST = "sha256:" + "a" * 64
LOCAL = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("image", "local", "pinned"),
    [
        ("group/tool:latest", LOCAL, f"group/tool@{DIGEST}"),
        ("group/tool", LOCAL, f"group/tool@{DIGEST}"),
        ("host:5000/group/tool", LOCAL, f"host:5000/group/tool@{DIGEST}"),
        ("host:5000/group/tool:2", LOCAL, f"host:5000/group/tool@{DIGEST}"),
        (f"tool:1@{LOCAL}", None, f"tool@{DIGEST}"),
        ("built-here:latest", DIGEST, DIGEST),
    ],
)
def test_the_image_is_named_by_what_it_was(image: str, local: str | None, pinned: str) -> None:
    conditions = {"imageId": local} if local else None
    assert pinned_image(Run(tool_entry={"image": image}, image_digest=DIGEST, conditions=conditions)) == pinned


def test_a_run_without_an_image_has_none_to_pin() -> None:
    assert pinned_image(Run(tool_entry={"image": ""}, image_digest=None, conditions=None)) == ""


def test_a_plan_stands_among_the_parameters_and_is_read_from_them() -> None:
    first = Run(id=7, node="n", submitter="olga", clone="data", baseline_tree="1a", input_commit="2b", parameters={})
    plan = ReplayPlan.of(first)
    assert plan_of(first) is None
    assert plan_of(Run(parameters={"publish": "none", **plan.to_parameter()})) == plan
    assert plan == ReplayPlan(run_id=7, node="n", submitter="olga", clone="data", tree="1a", commit="2b")
