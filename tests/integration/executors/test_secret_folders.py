"""Secrets on their way to a tool: what is laid out, for whom, and what is refused."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import BackendFailed
from app.executors import secret_folders
from app.executors.base import Limits, RunRequest
from app.executors.secret_folders import SECRET_BYTES_MOST, SECRETS_MOST, laid_out, lay_out, remove, remove_unfinished

AGENT = str(os.geteuid())


@pytest.fixture
def installation() -> Iterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    yield name
    shutil.rmtree(secret_folders.SHARED_MEMORY / f"mao-{name}", ignore_errors=True)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder in which the operator keeps the secrets of the tool."""
    folder = tmp_path / "secrets" / "spike"
    folder.mkdir(parents=True)
    (folder / "token").write_bytes(b"hush\x00\xff")
    (folder / "Pass.word-2_b").write_bytes(b"")
    return folder


@pytest.fixture
def request_of_run(installation: str, kept: Path) -> RunRequest:
    return RunRequest(
        run_id=7,
        attempt=2,
        node="node-a",
        installation=installation,
        tool="spike",
        image="i",
        limits=Limits(64, 1.0, 64, 60),
        secrets_dir=str(kept),
    )


def test_secrets_arrive_byte_for_byte_in_the_attempts_folder(request_of_run: RunRequest, installation: str) -> None:
    folder = Path(str(lay_out(request_of_run, AGENT)))
    assert folder == Path(f"/dev/shm/mao-{installation}/7-2")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "token": b"hush\x00\xff",
        "Pass.word-2_b": b"",
    }
    assert laid_out(installation) == [(7, 2)]
    remove(installation, 7, 2)
    remove(installation, 7, 2)
    assert laid_out(installation) == []


def test_nobody_else_can_read_them(request_of_run: RunRequest) -> None:
    folder = Path(str(lay_out(request_of_run, AGENT)))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "token").stat().st_mode & 0o777 == 0o400
    assert folder.parent.stat().st_mode & 0o066 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_agent_that_is_not_root_keeps_others_out_by_the_folder_above(request_of_run: RunRequest, kept: Path) -> None:
    for folder in (kept, *kept.parents):
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setresgid(12345, 12345, 12345)
            os.setresuid(12345, 12345, 12345)
            folder = Path(str(lay_out(request_of_run, "54321:54321")))
            modes = [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / "token")]
            status = 0 if modes == [0o700, 0o755, 0o444] else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_without_secrets_nothing_is_made(request_of_run: RunRequest, installation: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert lay_out(replace(request_of_run, secrets_dir=None), AGENT) is None
    assert lay_out(replace(request_of_run, secrets_dir=str(tmp_path / "empty")), AGENT) is None
    assert not (secret_folders.SHARED_MEMORY / f"mao-{installation}").exists()


def test_what_is_complete_stays_when_it_is_laid_out_again(request_of_run: RunRequest, kept: Path) -> None:
    folder = Path(str(lay_out(request_of_run, AGENT)))
    inode = folder.stat().st_ino
    (kept / "token").write_text("changed")
    assert lay_out(request_of_run, AGENT) == str(folder)
    assert (folder.stat().st_ino, (folder / "token").read_bytes()) == (inode, b"hush\x00\xff")


def test_what_a_tool_nested_in_its_folder_goes_with_it(request_of_run: RunRequest, installation: str) -> None:
    folder = str(lay_out(request_of_run, AGENT))
    nest = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
    subprocess.run(["python3", "-c", nest], cwd=folder, check=True)
    remove(installation, 7, 2)
    assert not Path(folder).exists()


@pytest.mark.parametrize("name", [".hidden", "a b", "ä", "x" * 129])
def test_a_name_that_breaks_the_rule_is_refused(request_of_run: RunRequest, kept: Path, name: str) -> None:
    (kept / name).touch()
    with pytest.raises(BackendFailed, match="is not a name"):
        lay_out(request_of_run, AGENT)


def test_links_pipes_and_folders_are_refused(request_of_run: RunRequest, kept: Path) -> None:
    for make in (
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to("token"),
        os.mkfifo,
        Path.mkdir,
    ):
        make(kept / "odd")
        with pytest.raises(BackendFailed, match="'odd' is a link, or no file"):
            lay_out(request_of_run, AGENT)
        shutil.rmtree(kept / "odd") if (kept / "odd").is_dir() else (kept / "odd").unlink()


def test_a_folder_that_is_a_link_is_refused(request_of_run: RunRequest, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(kept)
    with pytest.raises(BackendFailed, match="is a link"):
        lay_out(replace(request_of_run, secrets_dir=str(tmp_path / "elsewhere")), AGENT)


def test_size_and_number_are_limited(request_of_run: RunRequest, kept: Path) -> None:
    (kept / "token").write_bytes(b"x" * SECRET_BYTES_MOST)
    for number in range(SECRETS_MOST - 2):
        (kept / f"more-{number}").touch()
    assert lay_out(request_of_run, AGENT)
    (kept / "one-more").touch()
    with pytest.raises(BackendFailed, match=str(SECRETS_MOST)):
        lay_out(replace(request_of_run, attempt=3), AGENT)
    (kept / "one-more").unlink()
    (kept / "token").write_bytes(b"x" * (SECRET_BYTES_MOST + 1))
    with pytest.raises(BackendFailed, match=f"more than {SECRET_BYTES_MOST} bytes"):
        lay_out(replace(request_of_run, attempt=3), AGENT)


def test_a_refusal_leaves_nothing_and_tells_no_secret(
    request_of_run: RunRequest, kept: Path, installation: str
) -> None:
    (kept / "zz").symlink_to("token")
    with pytest.raises(BackendFailed) as caught:
        lay_out(request_of_run, AGENT)
    assert "hush" not in f"{caught.value} {caught.value.hint} {request_of_run}"
    assert laid_out(installation) == []


def test_a_place_that_is_not_in_memory_is_refused(
    request_of_run: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_folders, "SHARED_MEMORY", tmp_path)
    with pytest.raises(BackendFailed, match="not a file system in memory"):
        lay_out(request_of_run, AGENT)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets"]


@pytest.mark.parametrize("kind", ["open to all", "a link", "a file"])
def test_a_folder_that_somebody_else_made_is_not_used(
    request_of_run: RunRequest, installation: str, tmp_path: Path, kind: str
) -> None:
    base = secret_folders.SHARED_MEMORY / f"mao-{installation}"
    if kind == "open to all":
        base.mkdir()
        base.chmod(0o777)
    elif kind == "a link":
        base.symlink_to(tmp_path)
    else:
        base.touch()
    try:
        with pytest.raises(BackendFailed, match="belongs to somebody else"):
            lay_out(request_of_run, AGENT)
    finally:
        base.rmdir() if kind == "open to all" else base.unlink()


def test_what_a_killed_agent_left_half_done_goes_after_a_while(request_of_run: RunRequest, installation: str) -> None:
    lay_out(request_of_run, AGENT)
    base = secret_folders.SHARED_MEMORY / f"mao-{installation}"
    for name in (".new-old", ".new-fresh"):
        (base / name).mkdir()
        (base / name / "token").write_text("hush")
    os.utime(base / ".new-old", (0, 0))
    remove_unfinished(installation)
    assert sorted(path.name for path in base.iterdir()) == [".new-fresh", "7-2"]
