"""Which addresses git may be sent to, and what it is given to get there."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed, RemoteDown
from app.repositories import addresses, git_addresses
from app.repositories.addresses import forbidden_kind
from app.repositories.git_access import Access, access_to, secrets_of
from app.repositories.git_addresses import looked_up
from app.repositories.git_environment import environment
from app.settings import Git

FORBIDDEN = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "ff02::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.1.1", "::ffff:0:7f00:1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2002::", "64:ff9b::7f00:1", "2001:0:7f00:1::1", "64:ff9b::a9fe:a9fe"),
    *("fd00:ec2::254", "100.100.100.200", "::ffff:0.0.0.0"),
]
ALLOWED = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "fd12::1",
    "8.8.8.8",
    "2606:4700::1",
    "::ffff:10.0.0.1",
    "2002:808::",
]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the name server says, one list of addresses a question; the last one stays."""
    given: list[list[str]] = []

    def ask(host: str, port: int, **_: Any) -> list[Any]:
        found = given.pop(0) if len(given) > 1 else given[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", ask)
    return given


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_near_this_node_is_forbidden_in_every_form(address: str) -> None:
    assert forbidden_kind(ip_address(address)) != ""


@pytest.mark.parametrize("address", ALLOWED)
def test_other_hosts_are_allowed_those_of_private_ranges_too(address: str) -> None:
    assert forbidden_kind(ip_address(address)) == ""


@pytest.mark.parametrize("url", ["https://rebind.example/d", "ssh://git@rebind.example/d", "git@rebind.example:d"])
@pytest.mark.parametrize("found", [["127.0.0.1"], ["192.0.2.1", "::1"], ["fe80::1%eth0"], ["::ffff:127.0.0.1"]])
def test_a_name_that_leads_here_is_refused_and_where_it_leads_is_not_told(
    answers: list[list[str]], url: str, found: list[str]
) -> None:
    answers.append(found)
    with pytest.raises(BackendFailed, match="which git is not sent to") as caught:
        access_to(url, Git())
    assert caught.value.cause == "data_unavailable"
    assert not any(address in caught.value.message for address in found)
    assert access_to(url, Git(allow_local=True)) != Access()


def test_git_is_sent_to_the_addresses_that_were_looked_at(answers: list[list[str]]) -> None:
    answers += [["192.0.2.1", "2001:db8::1"], ["192.0.2.1"], ["127.0.0.1"]]
    over_http = access_to("https://Data.example:8443/d", Git())
    assert over_http.config == (("http.curloptResolve", "data.example:8443:192.0.2.1,[2001:db8::1]"),)
    command = access_to("ssh://git@data.example:2222/d", Git()).variables["GIT_SSH_COMMAND"]
    assert "-oHostName=192.0.2.1 '-oHostKeyAlias=[data.example]:2222'" in command
    assert answers == [["127.0.0.1"]], "a name must be looked up once"


def test_an_address_needs_no_name_server() -> None:
    assert access_to("https://192.0.2.1/d", Git()) == Access()
    command = access_to("git@[2001:db8::1]:d", Git()).variables["GIT_SSH_COMMAND"]
    assert "-oHostName=2001:db8::1 -oHostKeyAlias=2001:db8::1" in command


def test_a_folder_of_this_machine_has_no_host() -> None:
    assert access_to("/srv/data.git", Git(allow_local=True)) == Access()


@pytest.mark.parametrize("url", ["ext::id", "-u", "https://u:hunter2@192.0.2.1/d", "git://192.0.2.1/d", "x\ny", "."])
@pytest.mark.parametrize("allow_local", [False, True])
def test_what_has_no_known_shape_gets_no_access(url: str, allow_local: bool) -> None:
    with pytest.raises(BackendFailed, match="not allowed") as caught:
        access_to(url, Git(allow_local=allow_local))
    assert "hunter2" not in caught.value.message


def test_a_name_that_nobody_knows_is_a_remote_that_is_down(answers: list[list[str]]) -> None:
    answers.append([])
    with pytest.raises(RemoteDown, match="cannot be found: Name or service not known"):
        looked_up("none.example", 443, "https://none.example/d")


def test_a_name_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_addresses, "_LOOKUP_SECONDS", 0.01)
    monkeypatch.setattr(addresses, "_ask", lambda *_: None)
    with pytest.raises(RemoteDown, match="took too long"):
        looked_up("slow.example", 443, "https://slow.example/d")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o620])
def test_a_secret_that_others_may_read_or_change_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.touch()
    path.chmod(mode)
    for settings, url in (
        (Git(credentials_file=str(path)), "https://192.0.2.1/d"),
        (Git(ssh_key_file=str(path)), "git@192.0.2.1:d"),
    ):
        with pytest.raises(BackendFailed, match="mode 0600") as caught:
            access_to(url, settings)
        assert str(tmp_path) not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("key", ["credentials_file", "credential_helper", "ssh_key_file", "known_hosts_file"])
@pytest.mark.parametrize("form", ["absent", "folder"])
def test_a_file_that_cannot_be_used_is_named_by_its_setting(tmp_path: Path, key: str, form: str) -> None:
    path = tmp_path if form == "folder" else tmp_path / "none"
    path.chmod(0o700) if form == "folder" else None
    url = "git@192.0.2.1:d" if key in ("ssh_key_file", "known_hosts_file") else "https://192.0.2.1/d"
    with pytest.raises(BackendFailed, match=f"git.{key} names cannot be used") as caught:
        access_to(url, Git(**{key: str(path)}))
    assert str(tmp_path) not in f"{caught.value.message} {caught.value.hint}"


def test_a_path_with_blanks_and_quotes_stays_one_path(tmp_path: Path) -> None:
    path = tmp_path / "it's; touch canary"
    path.touch(mode=0o600)
    [(_, helper)] = access_to("https://192.0.2.1/d", Git(credentials_file=str(path))).config
    assert """--file='""" in helper
    assert "'\"'\"'s; touch canary' get" in helper


def test_every_form_of_a_secret_is_known_so_that_no_answer_repeats_it(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("https://me:p%40ss@example.org\nbroken\nhttps://no-password@example.org\n")
    assert set(secrets_of(Git(credentials_file=str(path)))) == {"p%40ss", "p@ss", "bWU6cEBzcw=="}
    assert secrets_of(Git(credentials_file=str(tmp_path / "none"))) == []


def test_a_command_that_names_no_remote_reaches_none(tmp_path: Path) -> None:
    variables = environment(Git(allow_local=True), tmp_path)
    assert variables["GIT_ALLOW_PROTOCOL"] == "none"
    assert variables["GIT_SSH_COMMAND"] == "/bin/false"
    assert environment(Git(), tmp_path, Access())["GIT_ALLOW_PROTOCOL"] == "https:ssh"


def test_what_comes_later_in_the_configuration_adds_to_what_is_fixed(tmp_path: Path) -> None:
    variables = environment(Git(), tmp_path, Access(config=(("credential.helper", "!x"),)))
    count = int(variables["GIT_CONFIG_COUNT"])
    pairs = [(variables[f"GIT_CONFIG_KEY_{n}"], variables[f"GIT_CONFIG_VALUE_{n}"]) for n in range(count)]
    assert pairs[-1] == ("credential.helper", "!x")
    assert ("credential.helper", "") in pairs[:-1], "helpers of the machine must be forgotten first"
    assert f"GIT_CONFIG_KEY_{count}" not in variables
