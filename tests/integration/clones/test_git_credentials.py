"""Remotes that let nobody in who has no token: how git gets in, and where the token never shows."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from app.errors import BackendFailed, MaoError
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.clones.sights import noise, parts_of, wait_until
from tests.integration.git_server import GitServer, Origin

TOKEN = "tok-7f3a-never-shown"


@pytest.fixture
def private(server: GitServer, origin: Origin) -> str:
    """The address of a repository that the token opens."""
    server.private.add("data")
    server.tokens[TOKEN] = {"read"}
    return server.url("data")


def _stored(folder: Path, url: str, token: str) -> Git:
    """Settings with a file that gives ``token`` to the host of ``url``."""
    path = folder / "it's mine"
    path.touch(mode=0o600)
    path.write_text(f"{url.replace('://', f'://someone:{token}@').rpartition('/')[0]}\n")
    return Git(allow_local=True, timeout_seconds=60, credentials_file=str(path))


def _helped(folder: Path, token: str) -> Git:
    program = folder / "helper of ours"
    program.write_text(f'#!/bin/sh\ntest "$1" = get && printf "username=someone\\npassword={token}\\n"\n')
    program.chmod(0o700)
    return Git(allow_local=True, timeout_seconds=60, credential_helper=str(program))


def _seen_in_processes(secret: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if secret.encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("way", ["credentials_file", "credential_helper"])
def test_a_token_opens_the_remote_and_shows_up_nowhere(
    server: GitServer,
    origin: Origin,
    private: str,
    importdir: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    head = origin.push({"noise.bin": noise(3_000_000)})
    settings = _stored(tmp_path, private, TOKEN) if way == "credentials_file" else _helped(tmp_path, TOKEN)
    workdirs, told, seen, done = Workdirs(settings, importdir), [], [], threading.Event()
    watcher = threading.Thread(target=lambda: _watch(done, seen))
    watcher.start()
    server.gate.clear()
    cloner = threading.Thread(target=lambda: told.append(workdirs.clone("data", private)))
    cloner.start()
    packs = importdir / ".git-dirs/.new-data/.git/objects/pack"
    wait_until(lambda: any(path.stat().st_size > 100_000 for path in packs.glob("tmp_*")), "half of it had arrived")
    server.gate.set()
    cloner.join()
    told.append(workdirs.refresh("data", private))
    done.set()
    watcher.join()

    assert told[0] == head
    assert len(seen) > 1
    assert True not in seen, "the token was an argument of a process"
    assert TOKEN not in f"{told} {workdirs.state('data')} {caplog.text}"
    for path in importdir.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert not (importdir / ".git-dirs/.home").exists() or not list((importdir / ".git-dirs/.home").iterdir())


def _watch(done: threading.Event, seen: list[bool]) -> None:
    while not done.wait(0.01):
        seen.append(_seen_in_processes(TOKEN))


@pytest.mark.parametrize("way", ["credentials_file", "credential_helper"])
def test_a_token_that_is_refused_is_told_from_none_and_stays_where_it_is(
    server: GitServer, private: str, importdir: Path, tmp_path: Path, way: str
) -> None:
    settings = _stored(tmp_path, private, "wrong") if way == "credentials_file" else _helped(tmp_path, "wrong")
    before = Path(settings.credentials_file or settings.credential_helper).read_bytes()
    with pytest.raises(BackendFailed, match="refused this node: its credentials are wrong or expired") as caught:
        Workdirs(settings, importdir).clone("data", private)
    assert caught.value.cause == "data_unavailable"
    assert "wrong" not in caught.value.message.replace("are wrong or", "")
    assert Path(settings.credentials_file or settings.credential_helper).read_bytes() == before
    assert parts_of(importdir) == set()


def test_a_token_that_may_not_do_this_is_refused(
    server: GitServer, private: str, importdir: Path, tmp_path: Path
) -> None:
    server.tokens[TOKEN] = set()
    with pytest.raises(BackendFailed, match="do not allow this"):
        Workdirs(_stored(tmp_path, private, TOKEN), importdir).clone("data", private)


def test_a_token_for_another_host_is_not_given_away(
    server: GitServer, private: str, importdir: Path, tmp_path: Path
) -> None:
    settings = _stored(tmp_path, "http://elsewhere.example/data.git", TOKEN)
    with pytest.raises(BackendFailed, match="has no credentials for its host"):
        Workdirs(settings, importdir).clone("data", private)
    assert len(server.requests) == 1


def test_a_token_does_not_follow_a_redirect(server: GitServer, private: str, importdir: Path, tmp_path: Path) -> None:
    settings = _stored(tmp_path, private, TOKEN)
    server.faults["data"] = [f"302 Found -> {server.url('other')}/info/refs?service=git-upload-pack"]
    with pytest.raises(BackendFailed, match="redirect"):
        Workdirs(settings, importdir).clone("data", private)
    assert not any("other" in request for request in server.requests)


def test_a_clone_stays_usable_when_its_credentials_are_gone(
    server: GitServer, origin: Origin, private: str, importdir: Path, tmp_path: Path
) -> None:
    settings = _stored(tmp_path, private, TOKEN)
    workdirs = Workdirs(settings, importdir)
    head = workdirs.clone("data", private)
    Path(settings.credentials_file).unlink()
    result = workdirs.refresh("data", private)
    assert (result.head, result.is_stale) == (head, True)
    assert "git.credentials_file names cannot be used" in result.warning
    assert workdirs.baseline("data"), "what needs no remote needs no credentials"


def test_a_helper_is_given_nothing_of_this_process(
    private: str, importdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAO_POSTGRES_PASSWORD", "hunter2")
    settings = _helped(tmp_path, TOKEN)
    program = Path(settings.credential_helper)
    program.write_text(program.read_text().replace("\n", f"\nenv >>'{tmp_path}/seen'\n", 1))
    assert Workdirs(settings, importdir).clone("data", private)
    assert "hunter2" not in (tmp_path / "seen").read_text()


def test_no_message_ever_repeats_a_secret_of_the_file(
    server: GitServer, private: str, importdir: Path, tmp_path: Path
) -> None:
    settings = _stored(tmp_path, private, TOKEN)
    server.faults["data"] = [f"418 {TOKEN}"]
    with pytest.raises(MaoError) as caught:
        Workdirs(settings, importdir).clone("data", private)
    assert TOKEN not in f"{caught.value.message} {caught.value.hint}"
