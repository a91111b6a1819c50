"""Which run last wrote a file is told by git and by the record of runs, and by what commits say of themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import Invalid, NotFound
from app.models.clone import Clone, CloneState
from app.models.token import Identity
from app.repositories.clones import CloneRepository
from app.repositories.listener import RunChanges
from app.repositories.workdirs import Workdirs
from app.services.answering import Answering
from app.services.origins import ORIGIN, OriginService, checked_path, find_origin
from app.services.questions import QuestionService
from app.services.runs import RunService
from app.settings import Git
from tests.integration.core.conftest import ALL
from tests.integration.core.world import World
from tests.integration.git_server import Origin, git

OLGA = Identity("olga", "archive-group", ALL)
NORA = Identity("nora", "other-group", frozenset({"job_run_read"}))
TRAILERS = {"Mao-Tool": "spike", "Mao-Image": "sha256:2", "Mao-Node": "n"}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def workdirs(tmp_path: Path) -> Workdirs:
    origin = Origin(tmp_path / "server/data.git")
    origin.push({"old.csv": "old\n", "[a]*.csv": "odd\n"})
    made = Workdirs(Git(allow_local=True), tmp_path / "clones")
    made.clone("data", str(origin.bare))
    return made


@pytest.fixture
def ask(world: World, workdirs: Workdirs) -> Iterator[Ask]:
    """Ask, with an agent that answers."""
    context, _ = world.begin()
    answering = Answering(replace(context, workdirs=workdirs), {ORIGIN: find_origin})
    is_over = threading.Event()

    def answer() -> None:
        while not is_over.wait(0.02):
            answering.work()

    agent = threading.Thread(target=answer)
    agent.start()
    changes = RunChanges(world.database.url, most_waiting=1)
    service = OriginService(world.database, QuestionService(world.database), RunService(world.database, changes))

    def find(path: str, who: Identity = OLGA) -> dict[str, Any]:
        with world.database.transaction() as session:
            CloneRepository(session).note_head("data", "u", None, workdirs.head("data"))
        return service.find(who, "data", path)

    yield find
    is_over.set()
    agent.join()
    changes.close()


def written(world: World, workdirs: Workdirs, path: str, content: str | None = "new\n") -> tuple[int, str]:
    """Let a run write or remove a file; give its number and commit."""
    run_id = world.add(clone="data", image_digest="sha256:2", conditions={"operator": "panos"}, node="n")
    file = workdirs.path("data") / path
    if content is None:
        file.unlink()
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    commit = workdirs.commit("data", "sync", TRAILERS, run_id)
    assert commit is not None
    with world.database.transaction() as session:
        run = session.merge(world.row(run_id))
        run.output_commit = commit
    return run_id, commit


def test_a_file_leads_to_the_last_run_that_wrote_it(world: World, workdirs: Workdirs, ask: Ask) -> None:
    written(world, workdirs, "folder/new.csv", "first\n")
    run_id, commit = written(world, workdirs, "folder/new.csv", "second\n")
    written(world, workdirs, "other.csv")
    known = {"tool": "spike", "node": "n", "operator": "panos", "image_digest": "sha256:2", "is_recorded": True}
    for path in ("folder/new.csv", "folder", "./folder//new.csv"):
        found = ask(path)
        assert found | known == found
        assert (found["run_id"], found["commit"], found["is_removed"]) == (run_id, commit, False)


def test_a_run_out_of_reach_is_told_as_its_commit_says(world: World, workdirs: Workdirs, ask: Ask) -> None:
    run_id, commit = written(world, workdirs, "new.csv")
    told = ask("new.csv", NORA)
    assert (told["run_id"], told["commit"], told["tool"], told["node"]) == (run_id, commit, "spike", "n")
    assert (told["operator"], told["is_recorded"]) == (None, False)


def test_what_no_run_wrote_and_what_was_removed_have_an_origin_too(world: World, workdirs: Workdirs, ask: Ask) -> None:
    run_id, _ = written(world, workdirs, "old.csv", None)
    removed, odd = ask("old.csv"), ask("[a]*.csv")
    assert (removed["run_id"], removed["is_removed"]) == (run_id, True)
    assert (odd["run_id"], odd["tool"], odd["is_recorded"], odd["is_removed"]) == (None, None, False, False)
    with pytest.raises(NotFound, match="never had"):
        ask("*.csv")


def test_what_somebody_committed_by_hand_is_told_though_no_run_has_recorded_it(
    world: World, workdirs: Workdirs
) -> None:
    _, recorded = written(world, workdirs, "new.csv")
    (workdirs.path("data") / "new.csv").write_text("edited\n")
    git("commit", "-qam", "by hand", cwd=workdirs.path("data"))
    asked = {"clone": "data", "recorded_head": recorded, "path": "new.csv"}
    found = find_origin(replace(world.begin()[0], workdirs=workdirs), asked)
    assert (found["subject"], found["commit"]) == ("by hand", workdirs.head("data"))
    assert found["trailers"].get("Mao-Run", "") == ""


def test_a_clone_without_a_commit_has_no_origins(world: World, ask: Ask) -> None:
    with world.database.transaction() as session:
        session.add(Clone(name="empty", url="u", state=CloneState.READY, updated_at=world.row(world.add()).defined_at))
    service = OriginService(world.database, None, None)  # type: ignore[arg-type]
    for name in ("empty", "nosuch"):
        with pytest.raises(NotFound, match="no clone"):
            service.find(OLGA, name, "a")


@pytest.mark.parametrize("path", ["", "/", ".", "/etc/passwd", "../a", "a/../../b", "a\nb", "a\0b", "x" * 1025])
def test_what_is_no_path_in_a_data_set_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match="no path"):
        checked_path(path)
