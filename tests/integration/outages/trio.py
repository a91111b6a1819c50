"""Three members of etcd that agree with each other, and two of which may be killed."""

from __future__ import annotations

import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

from app.embedded import etcd

MEMBERS = 3


class Trio:
    """The members, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = _free_ports(2 * MEMBERS)
        self._clients, self._peers = ports[:MEMBERS], ports[MEMBERS:]
        self._processes = [self._start(number) for number in range(MEMBERS)]

    @property
    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self._clients]

    def lose_the_quorum(self) -> None:
        for process in self._processes[1:]:
            process.kill()
            process.wait()

    def regain_the_quorum(self) -> None:
        self._processes[1:] = [self._start(number) for number in range(1, MEMBERS)]

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        client, peer = (f"http://127.0.0.1:{ports[number]}" for ports in (self._clients, self._peers))
        options = {
            "name": f"m{number}",
            "data-dir": str(self._folder / f"member-{number}"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(self._peers)),
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self._folder / f"member-{number}.log").open("ab") as log:
            return subprocess.Popen([etcd._program(), *words, "--unsafe-no-fsync"], stdout=log, stderr=log)


def _free_ports(count: int) -> list[int]:
    # All are held until all are known, so that none is given twice.
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
