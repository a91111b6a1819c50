from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import Invalid, NotFound
from app.models.index import IndexEntry, operator_key
from app.repositories.index import Index
from app.repositories.memory_kv import MemoryKv

ENTRY = IndexEntry("dockerhub", "2026-03-01", "panos", "images", "https://git.example/images.git", "c" * 40, 7)


@pytest.fixture
def kv() -> MemoryKv:
    return MemoryKv()


@pytest.fixture
def index(kv: MemoryKv) -> Index:
    return Index(kv)


def test_an_entry_is_found_under_hub_date_operator_and_data_set(index: Index, kv: MemoryKv) -> None:
    index.put(ENTRY)
    assert index.get("dockerhub", "2026-03-01", "panos", "images") == ENTRY
    stored = kv.get("/mao/index/dockerhub/2026-03-01/panos/images")
    assert stored is not None
    assert stored.value == f'{{"url":"https://git.example/images.git","commit":"{"c" * 40}","run_id":7}}'


def test_the_later_run_of_a_day_takes_the_place_of_the_earlier_one(index: Index) -> None:
    index.put(ENTRY)
    index.put(later := replace(ENTRY, commit="d" * 40, run_id=8))
    assert index.entries("dockerhub", "2026-03-01", "panos") == [later]


def test_each_level_lists_each_name_once_whatever_lies_below_it(index: Index) -> None:
    for hub in ("aws", "a-w", "aws-sar", "aws.x"):
        for date in ("2026-03-01", "2026-03-02"):
            for operator in ("panos", "josef"):
                for dataset in ("images", "charts"):
                    index.put(replace(ENTRY, hub=hub, date=date, operator=operator, dataset=dataset))
    assert sorted(index.hubs()) == ["a-w", "aws", "aws-sar", "aws.x"]
    assert index.dates("aws") == ["2026-03-01", "2026-03-02"]
    assert index.operators("aws", "2026-03-02") == ["josef", "panos"]
    assert [entry.dataset for entry in index.entries("aws", "2026-03-02", "josef")] == ["charts", "images"]


def test_pages_of_every_size_give_each_name_once(index: Index) -> None:
    hubs = ["a", "a-b", "a.b", "a0", "a_b", "ab", "b"]
    for hub in hubs:
        index.put(replace(ENTRY, hub=hub))
    for size in range(1, len(hubs) + 1):
        seen: list[str] = []
        while page := index.hubs(after=seen[-1] if seen else "", limit=size):
            seen += page
        assert sorted(seen) == hubs


def test_what_others_left_below_the_index_is_passed_over(index: Index, kv: MemoryKv) -> None:
    index.put(ENTRY)
    index.put(replace(ENTRY, hub="zoo"))
    for key in ("dockerhub", "Not A Name/2026-03-01/panos/images", "e", "dockerhub/yesterday/panos/images"):
        kv.put(f"/mao/index/{key}", "{}")
    kv.put("/mao/index/dockerhub/2026-03-01/panos/broken", '{"url": 1}')
    kv.put("/mao/index/dockerhub/2026-03-01/panos/deeper/still", "{}")
    assert index.hubs() == ["dockerhub", "zoo"]
    assert index.dates("dockerhub") == ["2026-03-01"]
    assert index.entries("dockerhub", "2026-03-01", "panos") == [ENTRY]
    with pytest.raises(NotFound):
        index.get("dockerhub", "2026-03-01", "panos", "broken")


def test_what_is_not_there_is_empty_or_not_found(index: Index) -> None:
    assert index.hubs() == []
    assert index.dates("nothing") == []
    with pytest.raises(NotFound, match="no snapshot of data set 'images' by 'panos'"):
        index.get("dockerhub", "2026-03-01", "panos", "images")


@pytest.mark.parametrize("date", ["2026-02-30", "yesterday", "2026-3-1", "", "2026-03-01/x"])
def test_a_date_that_is_none_is_refused(index: Index, date: str) -> None:
    with pytest.raises(Invalid):
        index.operators("dockerhub", date)


@pytest.mark.parametrize(
    ("user", "operator"),
    [
        ("panos", "panos"),
        ("Josef Spillner", "josef-spillner"),
        ("a/b", "a-b"),
        ("..", "unknown"),
        ("", "unknown"),
        ("Ünal", "nal"),
        ("x" * 80, "x" * 63),
    ],
)
def test_any_user_has_an_operator_that_may_be_part_of_a_key(index: Index, user: str, operator: str) -> None:
    assert operator_key(user) == operator
    index.put(replace(ENTRY, operator=operator_key(user)))
