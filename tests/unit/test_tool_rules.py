"""The rules for a tool's entry, at their edges."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.tool import Tool
from app.services.tool_rules import RULES, broken_rules

DIGEST = "sha256:" + "a" * 64

GOOD: list[tuple[str, Any]] = [
    ("name", "a"),
    ("name", "a" * 63),
    ("name", "0.a_b-c"),
    ("image", "busybox"),
    ("image", "panosece/spike:latest"),
    ("image", "localhost:5000/a/b__c/d-e:V1.0_x"),
    ("image", "Registry.Example.org/a@" + DIGEST),
    ("image", "a:1@" + DIGEST),
    ("author", ""),
    ("code_repo", "git@host:x y/ü"),
    ("description", "two\nlines\tand a tab"),
    ("hub", ""),
    ("hub", "aws-sar"),
    ("network", ""),
    ("network", "none"),
    ("user", ""),
    ("user", "1000"),
    ("user", "1000:1000"),
    ("memory_mb", None),
    ("memory_mb", 4),
    ("memory_mb", 1_048_576),
    ("cpus", 0.01),
    ("cpus", 1024),
    ("pids", 1),
    ("pids", 100_000),
    ("timeout_seconds", 1),
    ("timeout_seconds", 31 * 86_400),
    ("command", []),
    ("command", ["sh", "-c", "a\nb"]),
    ("env", {"_A1": "", "b": "two\nlines"}),
    ("publish", "none"),
    ("publish", "commit"),
    ("publish", "push"),
    ("on_spike", "quarantine"),
    ("on_spike", "fail"),
    ("profile", "strict"),
    ("profile", "legacy"),
    ("labels", {"_execution_backend_id": "dummy"}),
    ("locks", ["a", "b"]),
]
BAD: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "a" * 64),
    ("name", "-a"),
    ("name", "a/b"),
    (
        "name",
        "..",
    ),
    ("name", "a\n"),
    ("image", ""),
    ("image", "UPPER"),
    ("image", "a b"),
    ("image", "-v"),
    ("image", "a:"),
    ("image", "a@sha256:abc"),
    ("image", "a\n"),
    ("image", "host:999999/a"),
    ("image", "a" * 600),
    ("author", "a\nb"),
    ("author", "\x1b[31m"),
    ("code_repo", "a" * 2049),
    ("artefact", "\0"),
    ("description", "\x07"),
    ("description", "a" * 4097),
    ("hub", "A"),
    ("network", "host"),
    ("user", "root"),
    ("user", "1000:"),
    ("user", "٣"),
    ("memory_mb", 3),
    ("memory_mb", 1_048_577),
    ("cpus", 0),
    ("cpus", -1),
    ("cpus", 1024.1),
    ("cpus", float("nan")),
    ("cpus", float("inf")),
    ("pids", 0),
    ("pids", 100_001),
    ("timeout_seconds", 0),
    ("timeout_seconds", 31 * 86_400 + 1),
    ("command", ["a"] * 257),
    ("command", ["\0"]),
    ("command", ["a" * 32_769]),
    ("env", {"1A": ""}),
    ("env", {"A-B": ""}),
    ("env", {"": ""}),
    ("env", {"MAO_RUN_ID": "1"}),
    ("env", {"A": "\0"}),
    ("env", {f"A{number}": "" for number in range(257)}),
    ("publish", "publish"),
    ("publish", ""),
    ("on_spike", "ignore"),
    ("profile", "privileged"),
    ("profile", ""),
    ("labels", {"": "x"}),
    ("labels", {"a": "b\n"}),
    ("locks", ["a/b"]),
    ("locks", ["a"] * 17),
]


@pytest.mark.parametrize(("field", "value"), GOOD)
def test_a_value_within_the_rules_is_taken(field: str, value: Any) -> None:
    assert broken_rules({field: value}) == {}


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_value_that_breaks_a_rule_is_named_with_the_rule(field: str, value: Any) -> None:
    broken = broken_rules({field: value})
    assert list(broken) == [field]
    assert all(rule.endswith(".") for rule in broken[field])


def test_a_tool_with_every_default_breaks_no_rule() -> None:
    tool = Tool(name="a", author="", image="a", data_repo="", code_repo="", artefact="")
    assert broken_rules(tool.to_dict()) == {}


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"control": {"method": "rollin"}}, "Unknown method 'rollin'"),
        ({"control": {"treshold": 6}}, "no parameter 'treshold'. Did you mean 'threshold'?"),
        ({"control": {"threshold_percent": "six"}}, "finite number"),
        ({"control": "rolling"}, "must be an object"),
        ({"incidents": 3}, "must be an object with some of: points"),
        ({"incidents": False}, "must be an object"),
        ({"incidents": {"point": 2}}, "no option 'point'"),
        ({"incidents": {"points": "2"}}, "'points' must be a whole number, 1 to 100"),
        ({"incidents": {"points": True}}, "'points' must be a whole number"),
        ({"incidents": {"of": 0}}, "'of' must be a whole number, 1 to 100"),
        ({"incidents": {"points": 3, "of": 2}}, "'points' must be at most 'of'"),
        ({"incidents": {"minutes": 1441}}, "'minutes' must be a whole number, 0 to 1440"),
        ({"incidents": {"grace_minutes": 0}}, "'grace_minutes' must be a whole number, 1 to 525600"),
    ],
)
def test_a_method_that_the_detector_does_not_know_is_refused_at_registration(
    metrics: dict[str, object], words: str
) -> None:
    assert words in broken_rules({"metrics": metrics})["metrics"][0]


def test_a_method_with_its_parameters_is_fine() -> None:
    assert broken_rules({"metrics": {"control": {"method": "rolling", "threshold_percent": 10}}}) == {}
    assert broken_rules({"metrics": {"incidents": {"points": 2, "of": 3, "minutes": 90, "grace_minutes": 30}}}) == {}
    assert broken_rules({"metrics": {"incidents": {"points": 2}}}) == {}


def test_every_key_of_an_entry_has_a_rule_or_a_reason_to_have_none() -> None:
    judged_elsewhere, of_datasets = {"data_repo", "owner"}, {"key", "history"}
    of_runs_alone = {"tool_retries", "infrastructure_retries", "command_name", "arguments"}
    assert {field.name for field in fields(Tool)} - judged_elsewhere == set(RULES) - of_runs_alone - of_datasets


@given(st.sampled_from(["name", "image", "user", "network", "publish", "description", "author"]), st.text())
def test_any_text_is_taken_or_refused_in_words(field: str, value: str) -> None:
    assert all(broken_rules({field: value}).values())
