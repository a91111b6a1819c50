"""Comparing two snapshots: the API's side asks, the agent's side answers from git's objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed, RemoteDown
from app.models.dataset import Dataset, History
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.services import comparing
from app.services.answers import ANSWERERS
from app.services.comparisons import ComparisonService
from app.services.questions import QuestionService
from tests.integration.core.test_snapshots import Library
from tests.integration.core.world import World
from tests.integration.git_server import GitServer, git
from tests.integration.histories import Step


class AnsweredAtOnce(QuestionService):
    """Questions that the agent answers while they are asked."""

    def __init__(self, library: Library) -> None:
        self._context = library.context

    def ask(self, kind: str, body: Any, *, is_fleeting: bool = False) -> Any:
        return ANSWERERS[kind](self._context, body)


@pytest.fixture
def library(world: World, tmp_path: Path) -> Library:
    library = Library(world, tmp_path)
    library.grow(
        Step(
            {"rows-2019-10-01.csv": "id,n\n1,a\n2,b\n", "names.csv": "id\n1\n", "old.bin": "x", "same.csv": "1\n"},
            "one",
        ),
        Step({"rows-2019-10-02.csv": "id,n\n2,c\n1,a\n3,d\n", "names.csv": "id\n1\n2\n", "new.bin": "y"}, "two"),
    )
    return library


def compared(library: Library, old: str, new: str, *, key: tuple[str, ...] = (), **how: Any) -> dict[str, Any]:
    registry = Registry(MemoryKv())
    registry.add_dataset(Dataset("data", "https://x/y", key=("id",)))
    service = ComparisonService(registry, library.reader, AnsweredAtOnce(library))
    return service.compare("data", old, new, key=key, **{"scope": "snapshot", "form": "json", "limit": 100, **how})


def statuses(answer: dict[str, Any]) -> dict[tuple[str | None, str | None], str]:
    return {(file["oldPath"], file["newPath"]): file["status"] for file in answer["files"]}


def test_files_of_two_days_are_compared_by_the_key_of_the_data_set(library: Library) -> None:
    answer = compared(library, "2019-10-01", "2019-10-02")
    assert statuses(answer) == {
        ("rows-2019-10-01.csv", "rows-2019-10-02.csv"): "changed",
        ("names.csv", "names.csv"): "changed",
        ("old.bin", "old.bin"): "identical",
        ("same.csv", "same.csv"): "identical",
        (None, "new.bin"): "added",
    }
    counts = answer["counts"]
    assert answer["key"] == ["id"]
    assert (counts["addedRows"], counts["changedRows"], counts["changedCells"], counts["removedRows"]) == (2, 1, 1, 0)


def test_another_key_can_be_given(library: Library) -> None:
    assert compared(library, "2019-10-01", "2019-10-02", key=("n",))["counts"]["changedRows"] == 0


def test_a_file_that_only_one_snapshot_brought_is_compared_with_the_other_commit(library: Library) -> None:
    newest = library.grow(Step({"names.csv": "id\n1\n2\n3\n"}, "three"))
    answer = compared(library, "2019-10-01", newest)
    assert statuses(answer) == {
        ("names.csv", "names.csv"): "changed",
        ("old.bin", "old.bin"): "identical",
        ("rows-2019-10-01.csv", "rows-2019-10-01.csv"): "identical",
        ("same.csv", "same.csv"): "identical",
    }
    assert answer["counts"]["addedRows"] == 2
    assert compared(library, newest, newest)["isIdentical"]


def test_the_scope_tree_compares_all_that_differs_between_the_commits(library: Library) -> None:
    one, two = (library.reader.resolve("data", day).commit for day in ("2019-10-01", "2019-10-02"))
    assert statuses(compared(library, one, two, scope="tree")) == {
        ("names.csv", "names.csv"): "changed",
        (None, "new.bin"): "added",
        (None, "rows-2019-10-02.csv"): "added",
    }


def test_a_page_comes_as_text(library: Library) -> None:
    assert compared(library, "2019-10-01", "2019-10-02", form="html")["text"].startswith("<!doctype html>")


def test_more_than_may_be_compared_is_refused_with_the_limit(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "MOST_BYTES", 10)
    with pytest.raises(BackendFailed, match="limit"):
        compared(library, "2019-10-01", "2019-10-02")
    monkeypatch.setattr(comparing, "MOST_FILES", 0)
    with pytest.raises(BackendFailed, match="files to compare"):
        compared(library, "2019-10-01", "2019-10-02")


def test_contents_that_a_clone_left_at_its_remote_are_fetched_to_be_compared(library: Library, tmp_path: Path) -> None:
    before = compared(library, "2019-10-01", "2019-10-02")
    library.grow(Step(dict.fromkeys(("rows-2019-10-01.csv", "old.bin", "names.csv")), "three"))
    git("config", "uploadpack.allowFilter", "true", cwd=library.bare)
    library.workdirs.remove("data")
    with GitServer(tmp_path) as server:
        library.workdirs.clone("data", server.url("data"), "main", history=History.BLOBLESS)
        server.faults["data"] = ["503 Service Unavailable"]
        with pytest.raises(RemoteDown):
            compared(library, "2019-10-01", "2019-10-02")
        del server.faults["data"]
        assert compared(library, "2019-10-01", "2019-10-02") == before
