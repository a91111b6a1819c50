"""Addresses that try to make git run something, read this machine, or talk to what only this machine should reach."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.errors import RemoteDown
from app.repositories import addresses
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import parts_of
from tests.integration.clones.watched import watch
from tests.integration.git_server import GitServer, Origin
from tests.unit.test_git_urls import ONLY_LOCALLY, REFUSED

# CANARY stands for a file that must not appear, PORT for a port of this machine that must hear nothing.
COMMANDS = [
    *("ext::touch CANARY", "ext::sh -c touch% CANARY", "ext:: touch CANARY", "EXT::touch CANARY", "fd::0", "fd::1,2/x"),
    *(
        "--upload-pack=touch CANARY",
        "-u touch CANARY",
        "--config=core.sshCommand=touch CANARY",
        "-ccore.fsmonitor=true",
    ),
    *(
        "ssh://-oProxyCommand=touch%20CANARY/x",
        "ssh://x@-oProxyCommand=touch CANARY/x",
        "-oProxyCommand=touch CANARY:x",
    ),
    *(
        "git@-oProxyCommand=touch CANARY:x",
        "ssh://$(touch CANARY)/x",
        "git@`touch CANARY`:x",
        "git@x.invalid:;touch CANARY",
    ),
    *(
        "https://x.invalid/x\next::touch CANARY",
        "https://x.invalid/%0aext::touch%20CANARY",
        "file://CANARY",
        "/etc",
        ".",
    ),
    *("transport::touch CANARY", "testgit::CANARY", "persistent-https://127.0.0.1:PORT/x", "git-remote-ext::x"),
]
NEAR = [
    *("https://127.0.0.1:PORT/x", "https://127.1:PORT/x", "https://2130706433:PORT/x", "https://0x7f000001:PORT/x"),
    *("https://017700000001:PORT/x", "https://0177.0.0.1:PORT/x", "https://127.0.0.1.:PORT/x", "https://0:PORT/x"),
    *(
        "https://0.0.0.0:PORT/x",
        "https://127.255.255.254:PORT/x",
        "https://localhost:PORT/x",
        "https://LOCALHOST:PORT/x",
    ),
    *("https://localhost.:PORT/x", "https://[::1]:PORT/x", "https://[::]:PORT/x", "https://[::ffff:127.0.0.1]:PORT/x"),
    *("https://[::ffff:7f00:1]:PORT/x", "https://[::127.0.0.1]:PORT/x", "https://[64:ff9b::7f00:1]:PORT/x"),
    *("https://[0:0:0:0:0:0:0:1]:PORT/x", "https://[::1%25lo]:PORT/x", "https://[fe80::1]:PORT/x"),
    *("https://169.254.169.254:PORT/x", "https://[::ffff:169.254.169.254]:PORT/x", "https://[2002:7f00:1::]:PORT/x"),
    *(
        "https://user:secret@127.0.0.1:PORT/x",
        "https://x.invalid@127.0.0.1:PORT/x",
        "https://127.0.0.1:PORT\\@x.invalid/x",
    ),
    *("http://127.0.0.1:PORT/x", "git://127.0.0.1:PORT/x", "ftp://127.0.0.1:PORT/x", "HTTPS://127.0.0.1:PORT/x"),
    *("ssh://127.0.0.1:PORT/x", "ssh://git@localhost:PORT/x", "ssh://git@[::1]:PORT/x", "git@127.0.0.1:x", "git@0:x"),
    *("ssh://git@127.1:PORT/x", "ssh://git@0x7f.1:PORT/x", "git@[127.0.0.1:PORT]:x", "[git@127.0.0.1:PORT]:x"),
    *(
        "https://\u2488\u2489:PORT/x",
        "https://\uff11\uff12\uff17.0.0.1:PORT/x",
        "https://127\u30020\u30020\u30021:PORT/x",
    ),
    *(
        "https://ｌｏｃａｌｈｏｓｔ:PORT/x",
        "https://127.0.0.1:PORT/" + "x" * 4000,
        "https://127.0.0.1%00.x.invalid:PORT/x",
    ),
]


class Ear:
    """Listens on every address of this machine, and counts who comes."""

    def __init__(self) -> None:
        self.heard = 0
        self._socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.heard += 1
            connection.close()

    def close(self) -> None:
        # Its thread ends before the number of the socket is free, lest it hears what is meant for the next one.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    with closing(Ear()) as ear:
        yield ear


def _filled(urls: list[str], folder: Path, ear: Ear) -> list[str]:
    return [url.replace("CANARY", str(folder / "canary")).replace("PORT", str(ear.port)) for url in urls]


def _nothing_came_of(urls: list[str], folder: Path, ear: Ear, *, unchecked: bool) -> None:
    watched = watch(folder, urls, allow_local=False, unchecked=unchecked, seconds=5)
    for url, result in zip(urls, watched.results, strict=True):
        assert set(result) == {"clone"}, (url, result)
        assert not result["clone"].startswith("ok"), (url, result)
        assert "secret" not in result["clone"], "a refusal repeats no password"
    assert watched.near() == set()
    assert ear.heard == 0
    assert not (folder / "canary").exists()
    assert not (folder / "clones").exists() or parts_of(folder / "clones") == set()
    assert watched.programs <= {"prlimit", "env", "git", "git-remote-https", "sh", "ssh"}
    assert unchecked or watched.programs == set(), "a refused address reaches no program"


def test_hostile_addresses_reach_no_program_at_all(ear: Ear, tmp_path: Path) -> None:
    known = [url for url in [*ONLY_LOCALLY, *REFUSED.values()] if "\ud800" not in url]
    _nothing_came_of(_filled([*COMMANDS, *NEAR, *known], tmp_path, ear), tmp_path, ear, unchecked=False)


@pytest.mark.long
def test_what_the_check_of_addresses_would_have_missed_is_stopped_behind_it(ear: Ear, tmp_path: Path) -> None:
    # Two of them name the driver's own open files, and NUL cannot be an argument of a process at all.
    urls = [url for url in [*COMMANDS, *NEAR, *ONLY_LOCALLY] if "fd::" not in url and "\0" not in url]
    _nothing_came_of(_filled(urls, tmp_path, ear), tmp_path, ear, unchecked=True)


def _answers(monkeypatch: pytest.MonkeyPatch, address: str) -> list[str]:
    """Let our own look at a name find ``address``, whatever the system says of it; gives the names that were asked."""
    asked: list[str] = []

    def ask(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", ask)
    return asked


def test_git_goes_to_the_address_that_was_looked_at_and_asks_nobody_again(
    server: GitServer, origin: Origin, workdirs: Workdirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _answers(monkeypatch, "127.0.0.1")
    url = server.url("data").replace("127.0.0.1", "no-such-host.invalid")
    assert workdirs.clone("data", url), "the name is known to us only"
    assert set(asked) == {"no-such-host.invalid"}
    assert workdirs.refresh("data", url).warning == ""


def test_a_name_that_leads_here_for_git_and_elsewhere_for_us_leads_elsewhere(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answers(monkeypatch, "127.0.0.9")
    with pytest.raises(RemoteDown):
        workdirs.clone("data", server.url("data").replace("127.0.0.1", "localhost"))
    assert server.requests == []
    assert parts_of(importdir) == set()
