"""Files of runs over a real database and a real folder: all of a file or nothing, and never somebody else's."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from app.errors import BackendFailed, Conflict, Invalid, NotFound, StorageFull, WrongState
from app.models.run import Cause, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.file_store import FileStore
from app.repositories.runs import RunRepository
from app.services.file_mounts import mounted_files, remove_stray_files
from app.services.run_files import FILES_MOST, FileService
from tests.integration.core.conftest import add_run
from tests.integration.core.world import TOOL, World

NAMES = ["../x", "..", ".hidden", "a/b", "a\\b", "a b", "", "x" * 129, "ä", "a\0", "a\n", "-rf"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "instance" / "files"


@pytest.fixture
def files(database: Database, folder: Path) -> FileService:
    return FileService(database, FileStore(folder))


@pytest.fixture
def uploader() -> Identity:
    """One of the owner's group who may do no more than this."""
    return Identity("ugo", "archive-group", frozenset({Permission.JOB_RUN_UPLOAD_FILES, Permission.JOB_RUN_READ}))


def defined(database: Database, **columns: object) -> int:
    """Store a run that waits for somebody to start it."""
    run_id = add_run(database, **columns).id
    with database.transaction() as session:
        session.execute(update(Run).where(Run.id == run_id).values(status=RunStatus.DEFINED))
    return run_id


def start(database: Database, run_id: int) -> None:
    with database.transaction() as session:
        RunRepository(session).change(run_id, RunStatus.DEFINED, RunStatus.WAITING_LOCKS, actor="olga")


def content(files: FileService, who: Identity, run_id: int, file_id: str) -> bytes:
    return files.get(who, run_id, file_id)[1].read_bytes()


def on_disk(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_kept_with_its_size_and_digest_and_found_again(
    database: Database, files: FileService, uploader: Identity, folder: Path
) -> None:
    run_id = defined(database)
    made = files.upload(uploader, run_id, "a.csv", [b"one", b"", b"two"])
    (listed,) = files.list(uploader, run_id)
    assert (listed.file_id, listed.size_bytes, listed.uploaded_by) == ("a.csv", 6, "ugo")
    assert listed.sha256 == hashlib.sha256(b"onetwo").hexdigest()
    assert content(files, uploader, run_id, "a.csv") == b"onetwo"
    assert on_disk(folder) == [str(made.id)]
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_breaks_the_rule_is_refused(
    database: Database, files: FileService, uploader: Identity, folder: Path, name: str
) -> None:
    with pytest.raises(Invalid):
        files.upload(uploader, defined(database), name, [b"x"])
    assert not folder.exists()


def test_the_same_name_again_replaces_the_file(
    database: Database, files: FileService, uploader: Identity, folder: Path
) -> None:
    run_id = defined(database)
    files.upload(uploader, run_id, "a.csv", [b"old"])
    second = files.upload(uploader, run_id, "a.csv", [b"newer"])
    assert content(files, uploader, run_id, "a.csv") == b"newer"
    assert on_disk(folder) == [str(second.id)]


def test_a_run_sees_its_own_files_and_those_of_its_chains_first_run_and_its_own_win(
    database: Database, files: FileService, uploader: Identity
) -> None:
    first = defined(database)
    files.upload(uploader, first, "a.csv", [b"first a"])
    files.upload(uploader, first, "b.csv", [b"first b"])
    later = defined(database, parent_id=first)
    files.upload(uploader, later, "b.csv", [b"later b"])
    files.upload(uploader, later, "c.csv", [b"later c"])
    assert [(file.file_id, file.run_id) for file in files.list(uploader, later)] == [
        ("a.csv", first),
        ("b.csv", later),
        ("c.csv", later),
    ]
    assert content(files, uploader, later, "b.csv") == b"later b"
    assert content(files, uploader, first, "b.csv") == b"first b"
    with pytest.raises(NotFound):
        files.get(uploader, first, "c.csv")


def test_a_run_that_was_started_takes_no_files(database: Database, files: FileService, uploader: Identity) -> None:
    run_id = defined(database)
    start(database, run_id)
    with pytest.raises(WrongState, match="WAITING_LOCKS"):
        files.upload(uploader, run_id, "a.csv", [b"x"])


def test_a_run_that_is_started_while_the_file_arrives_does_not_get_it(
    database: Database, files: FileService, uploader: Identity, folder: Path
) -> None:
    run_id = defined(database)

    def pieces() -> Iterator[bytes]:
        yield b"first"
        start(database, run_id)
        yield b"second"

    with pytest.raises(WrongState):
        files.upload(uploader, run_id, "a.csv", pieces())
    assert (files.list(uploader, run_id), on_disk(folder)) == ([], [])


def test_no_transaction_is_open_while_a_file_arrives(world: World, uploader: Identity, folder: Path) -> None:
    seen: list[bool] = []

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            seen.append(world.database.is_open_here())
            yield b"x"

    FileService(world.database, FileStore(folder)).upload(uploader, defined(world.database), "a", pieces())
    assert seen == [False, False, False]


def test_a_sender_that_goes_away_leaves_nothing(
    database: Database, files: FileService, uploader: Identity, folder: Path
) -> None:
    run_id = defined(database)

    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        files.upload(uploader, run_id, "a.csv", pieces())
    assert (files.list(uploader, run_id), on_disk(folder)) == ([], [])


def test_a_run_has_at_most_so_many_files_and_each_can_still_be_replaced(
    database: Database, files: FileService, uploader: Identity
) -> None:
    run_id = defined(database)
    for number in range(FILES_MOST):
        files.upload(uploader, run_id, f"file-{number}", [b"x"])
    with pytest.raises(Conflict, match=str(FILES_MOST)):
        files.upload(uploader, run_id, "one-more", [b"x"])
    files.upload(uploader, run_id, "file-0", [b"y"])
    assert content(files, uploader, run_id, "file-0") == b"y"


def test_of_many_uploads_of_one_name_at_once_one_is_left(
    database: Database, files: FileService, uploader: Identity, folder: Path
) -> None:
    run_id, ready = defined(database), threading.Barrier(8)

    def upload(number: int) -> int:
        def pieces() -> Iterator[bytes]:
            ready.wait(30)
            yield b"%d" % number

        return files.upload(uploader, run_id, "a.csv", pieces()).id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(upload, range(8)))
    (left,) = files.list(uploader, run_id)
    assert (len(made), on_disk(folder)) == (8, [str(left.id)])


def test_files_of_others_are_out_of_reach_without_the_wider_permission(
    database: Database, files: FileService, uploader: Identity, stranger: Identity
) -> None:
    run_id = defined(database)
    files.upload(uploader, run_id, "a.csv", [b"x"])
    may_upload = replace(stranger, permissions=stranger.permissions | {Permission.JOB_RUN_UPLOAD_FILES})
    for refused in (
        lambda: files.upload(may_upload, run_id, "b.csv", [b"x"]),
        lambda: files.list(may_upload, run_id),
        lambda: files.get(may_upload, run_id, "a.csv"),
    ):
        with pytest.raises(NotFound, match=f"no run {run_id}"):
            refused()
    wider = {Permission.JOB_RUN_CHANGE_ANY, Permission.JOB_RUN_READ_ANY}
    helper = replace(stranger, permissions=stranger.permissions | wider)
    files.upload(helper, run_id, "b.csv", [b"y"])
    assert [file.uploaded_by for file in files.list(helper, run_id)] == ["ugo", "sven"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_is_said_to_be_one_and_keeps_nothing_of_the_file(
    database: Database, uploader: Identity, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        files, run_id = FileService(database, FileStore(small)), defined(database)
        with pytest.raises(StorageFull, match="disk"):
            files.upload(uploader, run_id, "a.csv", (b"x" * 65536 for _ in range(32)))
        assert (files.list(uploader, run_id), on_disk(small)) == ([], [])
        files.upload(uploader, run_id, "a.csv", [b"fits"])
        assert content(files, uploader, run_id, "a.csv") == b"fits"
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_run_gets_what_it_sees_and_fails_where_the_bytes_are_gone(world: World, uploader: Identity) -> None:
    context, _ = world.begin()
    folder = context.settings.working_environment.filesdir
    files, run_id = FileService(world.database, FileStore(folder)), defined(world.database)
    made = files.upload(uploader, run_id, "a.csv", [b"x"])
    assert mounted_files(context, world.row(run_id)) == {"a.csv": str(folder / str(made.id))}
    (folder / str(made.id)).chmod(0o600)
    (folder / str(made.id)).write_bytes(b"damaged")
    with pytest.raises(BackendFailed, match="7 bytes, and 1 were uploaded") as caught:
        mounted_files(context, world.row(run_id))
    assert caught.value.cause == Cause.DATA_UNAVAILABLE
    (folder / str(made.id)).unlink()
    with pytest.raises(BackendFailed, match="not on the disk"):
        mounted_files(context, world.row(run_id))


def test_a_run_whose_file_is_gone_ends_with_that_cause(world: World, uploader: Identity) -> None:
    folder = world.begin()[0].settings.working_environment.filesdir
    run_id = defined(world.database, backend="scripted", tool_entry=TOOL)
    made = FileService(world.database, FileStore(folder)).upload(uploader, run_id, "a.csv", [b"x"])
    (folder / str(made.id)).unlink()
    start(world.database, run_id)
    _, dispatcher = world.begin()
    dispatcher.step()
    row = world.until(run_id, RunStatus.FAILED)
    assert (row.cause, "create" in world.calls) == (Cause.DATA_UNAVAILABLE, False)
    assert "not on the disk" in str(row.message)


def test_bytes_that_no_row_knows_go_after_a_day_and_others_stay(world: World, uploader: Identity) -> None:
    context, _ = world.begin()
    folder = context.settings.working_environment.filesdir
    files, run_id = FileService(world.database, FileStore(folder)), defined(world.database)
    kept = files.upload(uploader, run_id, "a.csv", [b"x"])
    for name in ("999999", ".upload-killed", str(kept.id)):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    (folder / "999998").touch()
    (folder / ".upload-under-way").touch()
    remove_stray_files(context)
    assert on_disk(folder) == sorted([".installation", ".upload-under-way", "999998", str(kept.id)])


def test_the_folder_of_another_installation_is_left_alone(world: World) -> None:
    context, _ = world.begin()
    folder = context.settings.working_environment.filesdir
    folder.mkdir(parents=True)
    (folder / ".installation").write_text("another", encoding="utf-8")
    (folder / "1").touch()
    os.utime(folder / "1", (0, 0))
    remove_stray_files(context)
    assert (folder / "1").exists()
