"""What a run is planned with: what the registry's entry says, as far as it can be used."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import Invalid
from app.executors.selection import BACKEND_LABEL
from app.models.tool import Tool
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.services.plans import Planner, backend_for

SPIKE = Tool("spike", "panos", "panosece/spike:latest", "", "", "")


def plan(**changes: Any) -> dict[str, Any]:
    registry = Registry(MemoryKv())
    registry.add_tool(Tool.from_dict({**SPIKE.to_dict(), **changes}))
    return Planner(registry, ["docker"]).plan("spike")


def test_the_locks_of_the_entry_are_wanted_once_each_in_the_order_of_their_names() -> None:
    assert plan(locks=["b", "a", "b"])["locks"] == ["a", "b"]
    assert plan()["locks"] == []


@pytest.mark.parametrize("lock", ["", "a/b", "../tools/spike", "A"])
def test_an_entry_with_a_lock_that_has_no_name_makes_no_run(lock: str) -> None:
    with pytest.raises(Invalid):
        plan(locks=["a", lock])


def test_a_run_is_confined_as_the_entry_says_and_by_default_as_standard() -> None:
    assert plan()["profile"] == "standard"
    assert plan(profile="strict")["profile"] == "strict"


@pytest.mark.parametrize("profile", ["", "privileged", "STRICT"])
def test_an_entry_with_a_profile_that_is_unknown_here_makes_no_run(profile: str) -> None:
    with pytest.raises(Invalid, match="unknown here"):
        plan(profile=profile)


CODE = {"image": "", "code_repo": "https://git.example.org/visitors.git"}


def backend(*available: str, **changes: Any) -> str:
    return str(backend_for(Tool.from_dict({**SPIKE.to_dict(), **changes}), changes.get("labels", {}), available))


def test_a_tool_with_an_image_runs_in_containers_and_one_without_as_a_process() -> None:
    assert backend("docker", "process", "dummy") == "docker"
    assert backend("docker", "process", "dummy", **CODE) == "process"
    assert backend("docker", "process", "dummy", **CODE, labels={BACKEND_LABEL: "dummy"}) == "dummy"


@pytest.mark.parametrize(
    ("labels", "said"),
    [({}, "which this node does not allow"), ({BACKEND_LABEL: "docker"}, "the backend docker needs one")],
)
def test_a_tool_without_an_image_that_this_node_cannot_run_is_refused_with_the_cure(
    labels: dict[str, str], said: str
) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        backend("docker", "dummy", **CODE, labels=labels)
    assert "Register it with an image" in (refused.value.hint or "")
