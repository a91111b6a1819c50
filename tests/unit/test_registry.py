from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace

import pytest

from app.errors import AlreadyExists, BackendFailed, Invalid, NotFound, StaleRevision
from app.models.dataset import Dataset
from app.models.tool import Tool
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry

SPIKE = Tool("spike", "Jacek", "panosece/spike:latest", "https://git.example/spike.git", "", "", owner="node-1")
FULL = replace(
    SPIKE,
    command=("run", "--all"),
    env={"LANG": "C.UTF-8"},
    memory_mb=512,
    cpus=0.5,
    labels={"a": "b"},
    locks=("disk",),
    metrics={"rows": {"method": "rolling", "limits": [1, 2.5, None]}},
    description="écrit ☃",
)
NOTICE = {"kind": "spike", "tool": "spike", "run_id": 7, "summary": "Twice as many rows.", "values": {"gain": 100.0}}


@pytest.fixture
def kv() -> MemoryKv:
    return MemoryKv()


@pytest.fixture
def registry(kv: MemoryKv) -> Registry:
    return Registry(kv)


@pytest.mark.parametrize("tool", [SPIKE, FULL])
def test_a_tool_comes_back_as_it_was_stored(registry: Registry, tool: Tool) -> None:
    revision = registry.add_tool(tool)
    assert registry.get_tool("spike") == (tool, revision)


def test_the_stored_value_is_json_without_the_name(registry: Registry, kv: MemoryKv) -> None:
    registry.add_tool(FULL)
    entry = kv.get("/mao/tools/spike")
    assert entry is not None
    assert json.loads(entry.value) == {key: value for key, value in FULL.to_dict().items() if key != "name"}


def test_a_name_is_given_once(registry: Registry) -> None:
    registry.add_tool(SPIKE)
    with pytest.raises(AlreadyExists, match="tool 'spike'"):
        registry.add_tool(FULL)


@pytest.mark.parametrize("name", ["", "Spike", "../x", "a/b", "a\n", "-a", "a" * 64, "a\udcff", "\0"])
def test_what_is_no_name_is_refused_on_the_way_in_and_unknown_on_the_way_out(registry: Registry, name: str) -> None:
    with pytest.raises(Invalid):
        registry.add_tool(replace(SPIKE, name=name))
    with pytest.raises(NotFound):
        registry.get_tool(name)
    with pytest.raises(NotFound):
        registry.remove_tool(name, 1)


@pytest.mark.parametrize("asked", ["spke", "Spike", "spike2"])
def test_an_unknown_tool_is_answered_with_the_nearest_name(registry: Registry, asked: str) -> None:
    registry.add_tool(SPIKE)
    registry.add_tool(replace(SPIKE, name="crawler"))
    with pytest.raises(NotFound) as caught:
        registry.get_tool(asked)
    assert caught.value.hint == "Did you mean 'spike'?"


def test_a_change_needs_the_revision_that_was_read(registry: Registry) -> None:
    first = registry.add_tool(SPIKE)
    second = registry.replace_tool(FULL, first)
    with pytest.raises(StaleRevision):
        registry.replace_tool(SPIKE, first)
    with pytest.raises(StaleRevision):
        registry.remove_tool("spike", first)
    assert registry.get_tool("spike") == (FULL, second)
    registry.remove_tool("spike", second)
    with pytest.raises(NotFound):
        registry.get_tool("spike")


def test_what_was_removed_is_not_found_rather_than_stale(registry: Registry) -> None:
    revision = registry.add_tool(SPIKE)
    registry.remove_tool("spike", revision)
    with pytest.raises(NotFound):
        registry.replace_tool(FULL, revision)
    with pytest.raises(NotFound):
        registry.remove_tool("spike", revision)


def test_an_entry_has_at_most_64_kib(registry: Registry) -> None:
    room = 64 * 1024 - len(json.dumps({k: v for k, v in SPIKE.to_dict().items() if k != "name"}, separators=(",", ":")))
    registry.add_tool(replace(SPIKE, description="x" * room))
    with pytest.raises(Invalid, match="65537 bytes"):
        registry.add_tool(replace(SPIKE, name="larger", description="x" * (room + 1)))
    with pytest.raises(Invalid):
        registry.add_tool(replace(SPIKE, name="larger", description="é" * (room // 2 + 1)))


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_a_character_that_no_database_takes_is_invalid(registry: Registry, text: str) -> None:
    with pytest.raises(Invalid):
        registry.add_tool(replace(SPIKE, description=text))


def test_a_number_that_is_none_is_invalid(registry: Registry) -> None:
    with pytest.raises(Invalid):
        registry.add_tool(replace(SPIKE, metrics={"rows": float("nan")}))


def test_a_key_of_a_later_version_is_left_out(registry: Registry, kv: MemoryKv) -> None:
    kv.create("/mao/datasets/data", '{"url": "https://git.example/data.git", "mirror": ["later"]}')
    assert registry.get_dataset("data")[0] == Dataset("data", "https://git.example/data.git")


BROKEN_VALUES = [
    "",
    "null",
    "[]",
    "not json",
    "{'author': 'Python, not JSON'}",
    '{"author": "a"}',
    "[" * 100_000,
    "9" * 5000,
    *(
        json.dumps({**{k: v for k, v in SPIKE.to_dict().items() if k != "name"}, **wrong})
        for wrong in (
            {"author": 5},
            {"command": "sh -c"},
            {"command": [1]},
            {"env": {"A": 1}},
            {"env": []},
            {"memory_mb": True},
            {"memory_mb": 10**30},
            {"cpus": "1"},
            {"description": "\ud800"},
            {"description": "\0"},
            {"cpus": float("inf")},
        )
    ),
    '{"author": "bytes that are no text: \udcff"}',
]


@pytest.mark.parametrize("value", BROKEN_VALUES, ids=lambda value: ascii(value)[:30])
def test_a_broken_entry_spoils_no_list(
    registry: Registry, kv: MemoryKv, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    registry.add_tool(replace(SPIKE, name="a"))
    kv.create("/mao/tools/b", value)
    registry.add_tool(replace(SPIKE, name="c"))
    with caplog.at_level(logging.WARNING):
        assert [tool.name for tool, _ in registry.list_tools()] == ["a", "c"]
    assert "/mao/tools/b" in caplog.text
    with pytest.raises(BackendFailed, match="'b'"):
        registry.get_tool("b")


def test_a_foreign_key_spoils_no_list_and_no_hint(registry: Registry, kv: MemoryKv) -> None:
    for key in ("/mao/tools/a/b", "/mao/tools/../x", "/mao/tools/", "/mao/tools/B", "/mao/tools/\udcff"):
        kv.create(key, "{}")
    registry.add_tool(SPIKE)
    assert [tool.name for tool, _ in registry.list_tools()] == ["spike"]
    with pytest.raises(NotFound):
        registry.get_tool("b")


def test_a_page_is_full_although_broken_entries_lie_between(registry: Registry, kv: MemoryKv) -> None:
    for number in range(10):
        registry.add_tool(replace(SPIKE, name=f"tool{number}"))
        kv.create(f"/mao/tools/tool{number}-broken", "{}")
    first = [tool.name for tool, _ in registry.list_tools(limit=4)]
    assert first == ["tool0", "tool1", "tool2", "tool3"]
    assert [tool.name for tool, _ in registry.list_tools(after="tool3")] == [f"tool{n}" for n in range(4, 10)]


def test_tools_and_datasets_share_names(registry: Registry) -> None:
    registry.add_tool(SPIKE)
    dataset = Dataset("spike", "https://git.example/spike.git", hub="dockerhub")
    revision = registry.add_dataset(dataset)
    assert registry.list_datasets() == [(dataset, revision)]
    changed = registry.replace_dataset(replace(dataset, branch="main"), revision)
    registry.remove_dataset("spike", changed)
    with pytest.raises(NotFound, match="data set"):
        registry.get_dataset("spike")
    assert registry.get_tool("spike")[0] == SPIKE


def test_notifications_are_listed_page_by_page(registry: Registry, kv: MemoryKv) -> None:
    for node, ulid in (("b", "01A"), ("a", "01B"), ("a", "01A")):
        registry.put_notification(node, ulid, NOTICE)
    kv.create("/mao/notifications/a/01AA", "{}")
    kv.create("/mao/notifications/no-node", json.dumps(NOTICE))
    first = registry.list_notifications(limit=2)
    rest = registry.list_notifications(after=first[-1]["id"])
    assert [item["id"] for item in first + rest] == ["a/01A", "a/01B", "b/01A"]
    assert rest == [{**NOTICE, "incident_id": None, "node": "b", "id": "b/01A"}]


def test_a_notification_may_be_about_an_incident_or_about_no_run_at_all(registry: Registry) -> None:
    registry.put_notification("a", "01A", {**NOTICE, "run_id": None, "incident_id": 3})
    (told,) = registry.list_notifications()
    assert (told["run_id"], told["incident_id"]) == (None, 3)


def test_a_notification_lasts_thirty_days() -> None:
    now = 0.0
    registry = Registry(MemoryKv(monotonic=lambda: now))
    registry.put_notification("a", "01A", NOTICE)
    now = 30 * 86_400 - 1.0
    assert len(registry.list_notifications()) == 1
    now += 1.0
    assert registry.list_notifications() == []


def test_notifications_are_heard_as_they_come(registry: Registry, kv: MemoryKv) -> None:
    stop = threading.Event()
    heard = registry.watch_notifications(stop)
    registry.put_notification("a", "01A", NOTICE)
    kv.create("/mao/notifications/a/01B", "broken")
    registry.put_notification("a", "01C", NOTICE)
    assert [next(heard)["id"], next(heard)["id"]] == ["a/01A", "a/01C"]
    stop.set()
    assert list(heard) == []
