"""Garbage that needs no container engine: files, secrets, halves of clones, attempts of processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from app.executors import secret_folders
from app.executors.base import Limits, RunRequest
from app.executors.docker import DockerExecutor
from app.executors.process import ProcessExecutor
from app.models.run import RunStatus
from app.repositories.clone_locks import CloneLocks
from app.services.agent_context import AgentContext
from app.services.cleaning import Cleaner
from app.services.garbage import Premises
from app.services.retention import RetentionService
from app.settings import Docker, Settings
from tests.integration.core.conftest import add_run
from tests.integration.core.premises import collected_from, execute, found_in, premises_of

TWO_DAYS = 2 * 86_400


@pytest.fixture
def premises(settings: Settings) -> Iterator[Premises]:
    made = premises_of(settings, {"process": ProcessExecutor(settings.instance / "process")})
    yield made
    made.database.close()


def _aged(path: Path, content: bytes = b"12345") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - TWO_DAYS,) * 2)
    return path


def _request(premises: Premises, run_id: int, attempt: int = 1) -> RunRequest:
    return RunRequest(
        run_id=run_id,
        attempt=attempt,
        node=premises.settings.node,
        installation=premises.installation,
        tool="t",
        image="i",
        command=("true",),
        limits=Limits(64, 1.0, 16, 60),
    )


def _run(premises: Premises, status: RunStatus, attempt: int = 1) -> int:
    run_id = add_run(premises.database).id
    ended = "now()" if status is RunStatus.SUCCEEDED else "null"
    execute(
        premises.database,
        f"update runs set status = :status, attempt = :attempt, ended_at = {ended} where id = :id",
        status=status,
        attempt=attempt,
        id=run_id,
    )
    return run_id


def test_on_a_clean_node_there_is_nothing_to_find(premises: Premises) -> None:
    found = collected_from(premises)
    assert (found.items, found.problems, found.size_bytes) == ([], [], 0)


def test_bytes_that_no_row_knows_go_and_those_of_a_run_stay(premises: Premises) -> None:
    run_id = add_run(premises.database).id
    insert = "insert into run_files values (7, :run, 'input', 5, '', 'olga', now())"
    execute(premises.database, insert, run=run_id)
    folder = premises.settings.working_environment.filesdir
    known, stray, foreign = (_aged(folder / name) for name in ("7", "8", "notes.txt"))
    young = folder / "9"
    young.write_bytes(b"x")
    found = found_in(premises)
    assert [(item.kind, item.name, item.size_bytes) for item in found.items] == [("file", "8", 5)]
    assert [item.name for item in collected_from(premises).items] == ["8"]
    assert (known.exists(), stray.exists(), foreign.exists(), young.exists()) == (True, False, True, True)


def test_files_of_another_installation_are_not_looked_at(premises: Premises) -> None:
    folder = premises.settings.working_environment.filesdir
    stray = _aged(folder / "8")
    (folder / ".installation").write_text("somebody else")
    assert collected_from(premises).items == []
    assert stray.exists()


def test_secrets_of_attempts_that_are_over_go_and_those_of_others_stay(premises: Premises) -> None:
    over, live = _run(premises, RunStatus.SUCCEEDED), _run(premises, RunStatus.RUNNING, attempt=2)
    ours = secret_folders.SHARED_MEMORY / f"mao-{premises.installation}"
    foreign = secret_folders.SHARED_MEMORY / f"mao-{premises.installation}x" / f"{over}-1"
    folders = [ours / name for name in (f"{over}-1", f"{live}-1", f"{live}-2")] + [foreign]
    try:
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / "key").write_bytes(b"secret")
        found = collected_from(premises)
        assert {(item.kind, item.name, item.size_bytes) for item in found.items} == {
            ("secrets", f"{over}-1", 6),
            ("secrets", f"{live}-1", 6),
        }
        assert [folder.exists() for folder in folders] == [False, False, True, True]
    finally:
        subprocess.run(["rm", "-rf", str(ours), str(foreign.parent)], check=True)


def test_halves_of_clones_go_unless_somebody_is_at_work_in_them(premises: Premises) -> None:
    importdir = premises.settings.working_environment.importdir
    hidden = importdir / ".git-dirs"
    halves = [
        _aged(importdir / ".gone-one" / "data.csv"),
        _aged(hidden / ".new-one" / "pack"),
        _aged(hidden / ".gone-refused-one" / "pipe"),
        _aged(hidden / ".new-busy" / "pack"),
        _aged(importdir / ".new-foreign" / "mine.txt"),
    ]
    for name in ("one", "busy"):
        (hidden / f"{name}.lock").touch()
    with CloneLocks(hidden, 0.0).held("busy"):
        found = collected_from(premises)
    assert [(item.kind, item.name) for item in found.items] == [("clone", "one")]
    assert found.items[0].size_bytes > 0
    assert [half.exists() for half in halves] == [False, False, False, True, True]
    assert [item.name for item in found_in(premises).items] == ["busy"]


def test_folders_of_processes_go_when_their_run_is_over(premises: Premises) -> None:
    executor = premises.executors["process"]
    over, live = _run(premises, RunStatus.SUCCEEDED), _run(premises, RunStatus.RUNNING, attempt=2)
    requests = [_request(premises, over), _request(premises, live, 1), _request(premises, live, 2)]
    handles = [executor.create(request) for request in requests]
    foreign = executor.create(replace(_request(premises, over, 9), installation="somebody else"))
    found = collected_from(premises)
    assert {item.name for item in found.items} == set(handles[:2])
    assert all(item.size_bytes > 0 for item in found.items)
    folder = premises.settings.instance / "process"
    assert [(folder / handle).exists() for handle in (*handles, foreign)] == [False, False, True, True]


def test_a_preview_changes_nothing(premises: Premises) -> None:
    folder = premises.settings.working_environment.filesdir
    stray = _aged(folder / "8")
    assert found_in(premises).items == found_in(premises).items != []
    assert stray.exists()


def test_an_engine_that_does_not_answer_is_told_and_the_rest_goes_all_the_same(premises: Premises) -> None:
    absent = DockerExecutor(Docker(socket="unix:///nowhere/docker.sock"))
    without_engine = replace(premises, executors={"docker": absent, **premises.executors})
    stray = _aged(premises.settings.working_environment.filesdir / "8")
    for look in (found_in, collected_from):
        found = look(without_engine)
        assert [item.name for item in found.items] == ["8"]
        assert "The attempts on docker were not looked at: The container engine does not answer." in found.problems
    assert not stray.exists()


def test_the_audit_log_says_what_was_removed(premises: Premises) -> None:
    _aged(premises.settings.working_environment.filesdir / "8")
    collected_from(premises)
    with premises.database.transaction() as session:
        noted = list(map(tuple, session.execute(text("select actor, action, target, result from audit_log"))))
    assert noted == [("olga", "gc.file", "8", "done")]


def test_the_agents_rounds_remove_what_has_had_its_time_and_garbage(premises: Premises) -> None:
    run_id = _run(premises, RunStatus.SUCCEEDED)
    execute(premises.database, "update runs set defined_at = '2001-01-01', ended_at = '2001-01-01'")
    stray = _aged(premises.settings.working_environment.filesdir / "8")
    context = AgentContext(
        settings=premises.settings,
        database=premises.database,
        registry=premises.registry,
        workdirs=premises.workdirs,
        executors=premises.executors,
        installation=premises.installation,
        webhook_key="",
        epoch=1,
        lost=threading.Event(),
    )
    context.lost.set()
    retention = RetentionService(premises.database, premises.settings.retention, premises.files.remove)
    cleaner = Cleaner(context, retention)
    cleaner.remove_expired()
    cleaner.collect_garbage()
    with premises.database.transaction() as session:
        assert session.scalar(text("select count(*) from runs where id = :id"), {"id": run_id}) == 0
    assert not stray.exists()
