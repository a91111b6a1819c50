"""Remotes over ssh: a real server, keys that open it or not, and hosts that are known or not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed, RemoteDown
from app.repositories import addresses
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.clones.sights import parts_of
from tests.integration.clones.ssh_server import SshServer
from tests.integration.git_server import Origin, git


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SshServer(tmp_path_factory.mktemp("ssh") / "server") as server:
        yield server


def _settings(ssh: SshServer, **changes: Any) -> Git:
    files = {"ssh_key_file": str(ssh.key_file), "known_hosts_file": str(ssh.known_hosts_file)}
    return Git(**{"allow_local": True, "timeout_seconds": 60, **files, **changes})


def test_a_key_opens_the_remote_and_a_refresh_follows_it(ssh: SshServer, origin: Origin, importdir: Path) -> None:
    workdirs = Workdirs(_settings(ssh), importdir)
    url = ssh.url(origin.bare)
    assert workdirs.clone("data", url) == git("rev-parse", "HEAD", cwd=origin.desk)
    head = origin.push({"control-2.csv": "2\n"})
    result = workdirs.refresh("data", url)
    assert (result.head, result.warning) == (head, "")
    key = ssh.key_file.read_bytes().splitlines()[1]
    assert not any(key in path.read_bytes() for path in importdir.rglob("*") if path.is_file())


def test_a_host_is_reached_where_it_was_looked_up_and_known_by_its_name(
    ssh: SshServer, origin: Origin, importdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", ssh.port))
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: [entry])
    assert Workdirs(_settings(ssh), importdir).clone("data", ssh.url(origin.bare, "data.invalid"))
    with pytest.raises(BackendFailed, match="whose key this node does not know"):
        Workdirs(_settings(ssh), importdir).clone("other", ssh.url(origin.bare, "other.invalid"))


def test_a_host_that_is_not_known_is_refused(ssh: SshServer, origin: Origin, importdir: Path, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    workdirs = Workdirs(_settings(ssh, known_hosts_file=str(tmp_path / "none")), importdir)
    with pytest.raises(BackendFailed, match="whose key this node does not know") as caught:
        workdirs.clone("data", ssh.url(origin.bare))
    assert caught.value.cause == "data_unavailable"
    assert (tmp_path / "none").read_text() == "", "a key must not be trusted because it was the first one seen"
    assert parts_of(importdir) == set()


def test_a_host_with_another_key_is_refused(ssh: SshServer, origin: Origin, importdir: Path, tmp_path: Path) -> None:
    other = (ssh.key_file.with_suffix(".pub")).read_text().rpartition(" ")[0]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{ssh.port} {other}\n")
    with pytest.raises(BackendFailed, match="whose key is another one than this node knows"):
        Workdirs(_settings(ssh, known_hosts_file=str(tmp_path / "known")), importdir).clone("x", ssh.url(origin.bare))


def test_a_key_that_the_host_does_not_know_is_refused(
    ssh: SshServer, origin: Origin, importdir: Path, tmp_path: Path
) -> None:
    stranger = SshServer(tmp_path / "stranger")
    with stranger:
        settings = _settings(ssh, ssh_key_file=str(stranger.key_file))
        with pytest.raises(BackendFailed, match="refused the ssh key of this node") as caught:
            Workdirs(settings, importdir).clone("data", ssh.url(origin.bare))
    assert str(stranger.key_file) not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("form", ["open to all", "absent", "no key"])
def test_a_key_file_that_cannot_be_used_is_said_to_be_one(
    ssh: SshServer, origin: Origin, importdir: Path, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "key"
    if form != "absent":
        path.write_text("no key at all\n")
        path.chmod(0o644 if form == "open to all" else 0o600)
    with pytest.raises(BackendFailed, match="refused the ssh key" if form == "no key" else "git.ssh_key_file names"):
        Workdirs(_settings(ssh, ssh_key_file=str(path)), importdir).clone("data", ssh.url(origin.bare))


def test_a_repository_that_is_not_there_is_said_to_be_missing(ssh: SshServer, importdir: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match="does not exist, or may not be seen"):
        Workdirs(_settings(ssh), importdir).clone("data", ssh.url(tmp_path / "none.git"))


def test_a_host_that_hangs_in_its_greeting_is_given_up(importdir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        workdirs = Workdirs(Git(allow_local=True, timeout_seconds=2), importdir)
        with pytest.raises(RemoteDown):
            workdirs.clone("data", f"git@127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(RemoteDown):
            workdirs.clone("data", f"ssh://git@127.0.0.1:{silent.getsockname()[1]}/x")
    assert parts_of(importdir) == set()
