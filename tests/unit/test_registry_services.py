"""Tools and data sets in the registry: who may change them, what an entry may say, and which revision counts."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import (
    AlreadyExists,
    Forbidden,
    Invalid,
    MaoError,
    NotFound,
    RevisionRequired,
    StaleRevision,
    WrongState,
)
from app.models.token import Identity, Permission
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.services.datasets import DatasetService
from app.services.notifications import NotificationService
from app.services.tools import ToolService

TOOL: dict[str, Any] = {
    "name": "spike",
    "author": "panos",
    "image": "panosece/spike:latest",
    "data_repo": "https://git.example.org/data/spike.git",
    "code_repo": "",
    "artefact": "",
}
DATASET: dict[str, Any] = {"name": "helm", "url": "https://git.example.org/data/helm.git"}


def someone(*permissions: Permission) -> Identity:
    return Identity("someone", "group", frozenset(permissions))


WRITER = someone(Permission.REGISTRY_WRITE)
ADMIN = someone(Permission.REGISTRY_ADMIN)
STRANGER = someone()


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryKv())


@pytest.fixture
def tools(registry: Registry) -> ToolService:
    return ToolService(registry, "node-a", allow_local=False, check_not_installed=free)


@pytest.fixture
def foreign_tools(registry: Registry) -> ToolService:
    """The same registry, seen from another node."""
    return ToolService(registry, "node-b", allow_local=False, check_not_installed=free)


def free(name: str) -> None:
    """Let every name pass: nothing of this node has it."""


@pytest.fixture
def datasets(registry: Registry) -> DatasetService:
    return DatasetService(registry, "node-a", allow_local=False, check_clone_name=free)


def test_a_registered_tool_belongs_to_the_node_and_is_found_again(tools: ToolService) -> None:
    tool, revision = tools.register(WRITER, TOOL)
    assert tool.owner == "node-a"
    assert tools.get("spike") == (tool, revision)
    assert tools.list() == [(tool, revision)]


def test_an_owner_that_the_caller_claims_is_not_believed(tools: ToolService) -> None:
    assert tools.register(WRITER, {**TOOL, "owner": "node-b"})[0].owner == "node-a"


def test_registering_needs_a_permission(tools: ToolService, datasets: DatasetService) -> None:
    for register, values in ((tools.register, TOOL), (datasets.register, DATASET)):
        with pytest.raises(Forbidden, match="may not write"):
            register(STRANGER, values)  # type: ignore[operator]


def test_a_name_that_is_taken_is_refused(tools: ToolService) -> None:
    tools.register(WRITER, TOOL)
    with pytest.raises(AlreadyExists):
        tools.register(WRITER, {**TOOL, "image": "other"})
    assert tools.get("spike")[0].image == TOOL["image"]


def test_registering_over_the_revision_that_was_read_replaces_the_entry(tools: ToolService) -> None:
    _, revision = tools.register(WRITER, TOOL)
    tool, newer = tools.register(WRITER, {**TOOL, "image": "other"}, revision)
    assert tools.get("spike") == (tool, newer)
    assert tool.image == "other"


def test_registering_over_a_name_that_nobody_has_is_not_found(tools: ToolService) -> None:
    with pytest.raises(NotFound):
        tools.register(WRITER, TOOL, 5)


def test_an_update_needs_the_newest_revision(tools: ToolService) -> None:
    _, revision = tools.register(WRITER, TOOL)
    with pytest.raises(RevisionRequired):
        tools.update(WRITER, "spike", TOOL, None)
    tools.update(WRITER, "spike", TOOL, revision)
    with pytest.raises(StaleRevision):
        tools.update(WRITER, "spike", TOOL, revision)


def test_an_update_replaces_the_whole_entry_but_not_its_owner(tools: ToolService, foreign_tools: ToolService) -> None:
    _, revision = tools.register(WRITER, {**TOOL, "memory_mb": 64})
    tool, _ = foreign_tools.update(ADMIN, "spike", TOOL, revision)
    assert (tool.memory_mb, tool.owner) == (None, "node-a")


def test_a_name_in_the_body_cannot_move_an_entry(tools: ToolService) -> None:
    _, revision = tools.register(WRITER, TOOL)
    with pytest.raises(Invalid) as caught:
        tools.update(WRITER, "spike", {**TOOL, "name": "other"}, revision)
    assert "name" in caught.value.fields


def test_another_node_may_neither_change_nor_remove(tools: ToolService, foreign_tools: ToolService) -> None:
    _, revision = tools.register(WRITER, TOOL)
    with pytest.raises(Forbidden, match="belongs to the node 'node-a'"):
        foreign_tools.update(WRITER, "spike", TOOL, revision)
    with pytest.raises(Forbidden, match="belongs to the node 'node-a'"):
        foreign_tools.remove(WRITER, "spike")


def test_whoever_administers_the_registry_may_remove(tools: ToolService, foreign_tools: ToolService) -> None:
    tools.register(WRITER, TOOL)
    foreign_tools.remove(ADMIN, "spike")
    with pytest.raises(NotFound):
        tools.get("spike")


def test_a_removal_that_names_a_stale_revision_removes_nothing(tools: ToolService) -> None:
    _, revision = tools.register(WRITER, TOOL)
    tools.update(WRITER, "spike", TOOL, revision)
    with pytest.raises(StaleRevision):
        tools.remove(WRITER, "spike", revision)
    assert tools.get("spike")[0].name == "spike"


def test_an_unknown_tool_is_not_found_with_the_nearest_name(tools: ToolService) -> None:
    tools.register(WRITER, TOOL)
    for call in (lambda: tools.get("spke"), lambda: tools.remove(WRITER, "spke")):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.hint == "Did you mean 'spike'?"


@pytest.mark.parametrize("data_repo", ["", "helm", "https://git.example.org/x.git", "git@git.example.org:x/y.git"])
def test_data_is_kept_in_a_repository_in_a_data_set_or_nowhere(
    tools: ToolService, datasets: DatasetService, data_repo: str
) -> None:
    datasets.register(WRITER, DATASET)
    assert tools.register(WRITER, {**TOOL, "data_repo": data_repo})[0].data_repo == data_repo


@pytest.mark.parametrize(
    "data_repo", ["hel", "ext::sh -c id", "-u", "https://user:secret@host/x.git", "/srv/data", "../x"]
)
def test_data_that_cannot_be_reached_is_refused_without_repeating_it(
    tools: ToolService, datasets: DatasetService, data_repo: str
) -> None:
    datasets.register(WRITER, DATASET)
    with pytest.raises(Invalid) as caught:
        tools.register(WRITER, {**TOOL, "data_repo": data_repo})
    assert list(caught.value.fields) == ["data_repo"]
    assert "secret" not in str(caught.value) + str(caught.value.fields)


@pytest.mark.parametrize("code_repo", ["", "in Ada's drawer", "http://git.example.org/x?tab=code", "ask a@b.org: Ada"])
def test_where_the_code_of_an_image_is_may_be_said_in_any_words(tools: ToolService, code_repo: str) -> None:
    assert tools.register(WRITER, {**TOOL, "code_repo": code_repo})[0].code_repo == code_repo


@pytest.mark.parametrize("code_repo", ["https://user:secret@host/x.git", "http://host/x.git", "ssh://u:secret@host/x"])
def test_what_is_meant_for_git_must_be_an_address_that_git_may_have(tools: ToolService, code_repo: str) -> None:
    with pytest.raises(Invalid) as caught:
        tools.register(WRITER, {**TOOL, "code_repo": code_repo})
    assert list(caught.value.fields) == ["code_repo"]
    assert "secret" not in str(caught.value) + str(caught.value.fields)


def test_the_image_may_be_empty_only_where_the_code_can_be_installed(tools: ToolService) -> None:
    code = "https://git.example.org/visitors"
    assert tools.register(WRITER, {**TOOL, "image": "", "code_repo": code})[0].image == ""
    for code_repo, field in (("", "image"), ("in a drawer", "code_repo"), ("/srv/visitors.git", "code_repo")):
        with pytest.raises(Invalid) as caught:
            tools.register(WRITER, {**TOOL, "name": "other", "image": "", "code_repo": code_repo})
        assert list(caught.value.fields) == [field]


def test_all_broken_rules_are_told_at_once(tools: ToolService) -> None:
    with pytest.raises(Invalid) as caught:
        tools.register(WRITER, {**TOOL, "name": "Spike", "image": "UPPER", "memory_mb": 1, "data_repo": "ext::x"})
    assert set(caught.value.fields) == {"name", "image", "memory_mb", "data_repo"}


def test_a_local_remote_is_taken_only_where_it_is_allowed(registry: Registry) -> None:
    local = DatasetService(registry, "node-a", allow_local=True, check_clone_name=free)
    assert local.register(WRITER, {**DATASET, "url": "/srv/helm.git"})[0].url == "/srv/helm.git"


@pytest.mark.parametrize(
    ("field", "value"),
    [("url", "ext::x"), ("url", ""), ("branch", "a..b"), ("branch", "-x"), ("hub", "A B"), ("name", "../x")],
)
def test_a_data_set_that_breaks_a_rule_is_refused(datasets: DatasetService, field: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        datasets.register(WRITER, {**DATASET, field: value})
    assert list(caught.value.fields) == [field]


def test_a_data_set_is_changed_and_removed_like_a_tool(datasets: DatasetService) -> None:
    _, revision = datasets.register(WRITER, DATASET)
    with pytest.raises(RevisionRequired):
        datasets.update(WRITER, "helm", DATASET, None)
    dataset, newer = datasets.update(WRITER, "helm", {**DATASET, "branch": "main"}, revision)
    assert datasets.list() == [(dataset, newer)]
    with pytest.raises(StaleRevision):
        datasets.remove(WRITER, "helm", revision)
    datasets.remove(WRITER, "helm")
    assert datasets.list() == []


def test_lists_begin_behind_the_last_one_seen(tools: ToolService) -> None:
    for name in ("a", "b", "c"):
        tools.register(WRITER, {**TOOL, "name": name})
    assert [tool.name for tool, _ in tools.list(after="a", limit=1)] == ["b"]


def test_notifications_are_listed_behind_the_last_one_seen(registry: Registry) -> None:
    values = {"kind": "spike", "tool": "spike", "run_id": 1, "summary": "s", "values": {}}
    for ulid in ("01a", "01b"):
        registry.put_notification("node-a", ulid, values)
    notifications = NotificationService(registry, database=None)  # type: ignore[arg-type]
    first, second = notifications.list()
    assert notifications.list(after=first["id"]) == [second]


def test_a_registry_that_is_down_is_told_as_such() -> None:
    kv = MemoryKv()
    kv.is_down = True
    with pytest.raises(MaoError, match="etcd"):
        ToolService(Registry(kv), "node-a", allow_local=False, check_not_installed=free).list()


def test_no_data_set_gets_a_name_that_this_node_uses_for_something_else(registry: Registry) -> None:
    def taken(name: str) -> None:
        raise WrongState(f"'{name}' is taken.")

    service = DatasetService(registry, "node-a", allow_local=False, check_clone_name=taken)
    with pytest.raises(WrongState):
        service.register(WRITER, DATASET)
    assert registry.list_datasets() == []
