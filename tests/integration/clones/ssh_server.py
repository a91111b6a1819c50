"""A real sshd on this machine for tests, with keys of its own; whoever has the client's key gets the user's shell."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.integration.clones.programs import required

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/client.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class SshServer:
    """Serves what is on this machine to whoever has ``key_file``; ``known_hosts_file`` knows it by two names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sshd = required("sshd", "openssh-server")
        self.key_file = folder / "client"
        self.known_hosts_file = folder / "known hosts"

    def __enter__(self) -> SshServer:
        self._folder.mkdir()
        for name in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self._folder / name)], check=True
            )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        host_key = (self._folder / "host.pub").read_text().rpartition(" ")[0]
        self.known_hosts_file.write_text(f"[127.0.0.1]:{self.port},[data.invalid]:{self.port} {host_key}\n")
        (self._folder / "config").write_text(_CONFIG.format(port=self.port, folder=self._folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [self._sshd, "-D", "-e", "-f", str(self._folder / "config")], stderr=(self._folder / "log").open("wb")
        )
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def url(self, path: Path, host: str = "127.0.0.1") -> str:
        return f"ssh://{getpass.getuser()}@{host}:{self.port}{path}"

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while "Server listening" not in self.log:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.02)
