"""A container engine of our own that can be killed, frozen, and started with or without ``--live-restore``."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from tests.chaos.processes import Process

_PING_SECONDS = 2.0


class Engine:
    """A containerd and a dockerd; the folder's name is the control group of all containers."""

    def __init__(self, folder: Path, logs: Path, cgroup: str) -> None:
        self.folder = folder
        self.keeps_tools = True
        self.containerd = Process("containerd", self._containerd, logs)
        self.dockerd = Process("dockerd", self._dockerd, logs)
        self._cgroup = cgroup
        folder.mkdir()

    @property
    def address(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def is_ready(self) -> bool:
        """Tell whether the engine answers."""
        connection = _UnixConnection(str(self.folder / "docker.sock"))
        try:
            connection.request("GET", "/_ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _containerd(self) -> list[str]:
        place = self.folder / "containerd"
        socket_path = self.folder / "containerd.sock"
        return ["containerd", "--root", f"{place}/root", "--state", f"{place}/state", "--address", str(socket_path)]

    def _dockerd(self) -> list[str]:
        # A daemon that was killed leaves its number behind, which belongs to another process soon.
        (self.folder / "pid").unlink(missing_ok=True)
        words = ["dockerd", "--host", self.address, "--containerd", str(self.folder / "containerd.sock")]
        words += ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        words += ["--pidfile", f"{self.folder}/pid", "--cgroup-parent", f"/{self._cgroup}", "--log-level", "warn"]
        return words + (["--live-restore"] if self.keeps_tools else [])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_PING_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
