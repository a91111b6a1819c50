"""An agent whose term is over works in no clone that its successor has touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Superseded
from app.repositories.clone_fence import Fence
from app.repositories.workdirs import Workdirs


@pytest.fixture
def clones(workdirs: Workdirs, tree: Path) -> Workdirs:
    """The clones, with one called ``data`` among them."""
    assert tree.is_dir()
    return workdirs


class Office:
    """Whose term it is; each new agent gets the clones for its own."""

    def __init__(self, clones: Workdirs) -> None:
        self._clones = clones
        self._current = ""
        self.questions = 0

    def begin(self, term: str) -> Workdirs:
        self._current = term
        return self._clones.fenced(Fence(term, lambda: self._is(term)))

    def _is(self, term: str) -> bool:
        self.questions += 1
        return self._current == term


def _write(clones: Workdirs, text: str) -> None:
    (clones.path("data") / "new.csv").write_text(text)


def test_the_agent_of_an_older_term_is_refused_and_changes_nothing(clones: Workdirs) -> None:
    office = Office(clones)
    first = office.begin("first")
    baseline = first.baseline("data")
    second = office.begin("second")
    second.baseline("data")
    _write(second, "1\n")
    with pytest.raises(Superseded):
        first.quarantine("data", baseline, 1)
    with pytest.raises(Superseded):
        first.commit("data", "sync", {}, 1)
    assert (clones.path("data") / "new.csv").read_text() == "1\n"
    assert second.commit("data", "sync", {}, 2)


def test_whose_term_it_is_is_asked_once_a_clone(clones: Workdirs) -> None:
    office = Office(clones)
    first = office.begin("first")
    for _ in range(5):
        first.head("data")
    assert office.questions == 1


def test_an_agent_that_still_leads_takes_back_a_clone_that_a_late_one_has_marked(clones: Workdirs) -> None:
    office = Office(clones)
    late = office.begin("late")
    late.head("data")
    leading = office.begin("leading")
    assert leading.head("data") == clones.head("data")
    with pytest.raises(Superseded):
        late.head("data")
    assert leading.head("data") == clones.head("data")
