"""Which backend a run goes to."""

from __future__ import annotations

import pytest

from app.errors import Invalid
from app.executors.selection import choose

ALL = ("docker", "process", "dummy")


def test_a_label_names_the_backend() -> None:
    assert choose({"_execution_backend_id": "dummy"}, ALL) == "dummy"
    assert choose({"_execution_backend_id": "process", "other": "x"}, ALL) == "process"


def test_without_the_label_it_is_docker() -> None:
    assert choose({}, ALL) == "docker"
    assert choose({"colour": "blue"}, ALL) == "docker"


@pytest.mark.parametrize(
    ("labels", "available"), [({"_execution_backend_id": "dokcer"}, ALL), ({}, ("process", "dummy")), ({}, ())]
)
def test_what_is_not_there_is_an_error_that_lists_what_is(labels: dict[str, str], available: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as caught:
        choose(labels, available)
    assert list(caught.value.fields) == ["labels"]
    for name in available:
        assert name in caught.value.message


def test_a_misspelt_backend_is_named_rightly() -> None:
    with pytest.raises(Invalid) as caught:
        choose({"_execution_backend_id": "dokcer"}, ALL)
    assert "docker" in str(caught.value.hint)
