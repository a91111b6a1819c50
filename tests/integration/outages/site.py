"""The API as gunicorn serves it, with everything below it behind a door that a test can shut."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from app.settings import Settings
from tests.api_calls import TOOL, UNDESCRIBED, Operation, operations
from tests.integration.tcp_proxy import TcpProxy
from tests.integration.whole.product import CUT, Product

BOUND_SECONDS = 10.0
"""Within which every call is answered, whatever is down."""

_AT_ONCE = 8
_CLIENT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What one call gave, and after how long."""

    call: str
    status: int
    seconds: float
    headers: dict[str, str]
    text: str

    @property
    def sin(self) -> str | None:
        """Say what is wrong with this answer, or None."""
        if self.seconds >= BOUND_SECONDS:
            return f"{self.call} took {self.seconds:.1f} s"
        if self.status >= 500 and self.status != 503:
            return f"{self.call} gave {self.status}: {self.text[:300]}"
        names_one = any(system in self.text.lower() for system in ("postgres", "etcd", "agent", "docker"))
        if self.status == 503 and not (names_one and "Retry-After" in self.headers):
            return f"{self.call} gave a 503 that names no system or no time: {self.text[:300]}"
        return None


class Site(Product):
    """PostgreSQL and etcd behind proxies, and the API."""

    def __init__(self, folder: Path, etcd_addresses: Sequence[str] | None = None) -> None:
        self.proxies: dict[str, TcpProxy] = {}
        self._etcd_addresses = etcd_addresses
        super().__init__(folder, "outages", f"unix://{folder}/no-engine.sock")
        self.start_api()
        self.operations = operations(self.call("GET", "/api/openapi.json").json())
        self.until(self.seed, "the site is furnished")
        self.healthy = self.walk()

    @property
    def token(self) -> str:
        return str(self.headers["X-Api-Token"])

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()
        self.stop()

    def seed(self) -> bool:
        """Put back what calls have removed, so that the next ones find something; tell whether that went well."""
        made = [
            self.call("POST", path, json=body).status_code
            for path, body in [
                ("/api/tools", TOOL),
                ("/api/datasets", {"name": "series", "url": "https://git.example.org/data/series.git"}),
                ("/api/jobs", {"tool": "spike", "schedule": "daily"}),
                ("/api/security/tokens/laptop", {"permissions": ["job_submit"]}),
                ("/api/tools/spike/runs", {}),
            ]
        ]
        return all(status in (200, 201, 202, 409) for status in made)

    def reads(self) -> dict[str, int]:
        """Give the status of every call that changes nothing."""
        return {answer.call: answer.status for answer in self.walk("get")}

    def walk(self, only: str | None = None) -> list[Answer]:
        """Make every call once, or those of one method, several at a time."""
        calls = [operation for operation in self.operations if only in (None, operation.method)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            walked = list(pool.map(self._make, calls))
            described = [] if only not in (None, "get") else pool.map(lambda path: self.timed("GET", path), UNDESCRIBED)
            return [*walked, *described]

    @contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        """Stop a server and all its children without ending them."""
        numbers = [pid, *_children(pid)]
        for number in numbers:
            os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            for number in reversed(numbers):
                os.kill(number, signal.SIGCONT)

    @contextmanager
    def swallowed(self, system: str) -> Iterator[None]:
        """Let the network take everything that is sent to the system, and give nothing back."""
        self.proxies[system].swallow()
        try:
            yield
        finally:
            self.proxies[system].mend()

    def _make(self, operation: Operation) -> Answer:
        arguments: dict[str, Any] = {}
        if operation.template.endswith("/wait"):
            arguments["params"] = {"timeout": 1}
        if operation.body is not None:
            arguments["json"] = operation.json()
        elif operation.media_type is not None:
            arguments |= {"data": b"some bytes", "headers": {"Content-Type": operation.media_type}}
        return self.timed(operation.method.upper(), operation.path(), **arguments)

    def timed(self, method: str, path: str, **arguments: Any) -> Answer:
        began = time.monotonic()
        headers = {**self.headers, **arguments.pop("headers", {})}
        try:
            answer = requests.request(
                method, self.url + path, headers=headers, timeout=_CLIENT_SECONDS, allow_redirects=False, **arguments
            )
        except requests.RequestException as error:
            return Answer(f"{method} {path}", CUT, time.monotonic() - began, {}, str(error))
        return Answer(
            f"{method} {path}", answer.status_code, time.monotonic() - began, dict(answer.headers), answer.text
        )

    def _settings(self, node: str, docker_address: str) -> Settings:
        made = super()._settings(node, docker_address)
        self.proxies["postgres"] = TcpProxy(made.postgres.address)
        addresses = self._etcd_addresses or [made.etcd.address]
        for number, address in enumerate(addresses):
            self.proxies[f"etcd-{number}"] = TcpProxy(address)
        etcd = ",".join(self.proxies[f"etcd-{number}"].address for number in range(len(addresses)))
        return replace(
            made,
            postgres=replace(made.postgres, address=self.proxies["postgres"].address),
            etcd=replace(made.etcd, address=etcd),
        )


def summary(fault: str, answers: Sequence[Answer]) -> str:
    """Say in one line what the calls gave, with the slowest of them."""
    slowest = max(answers, key=lambda answer: answer.seconds)
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(Counter(a.status for a in answers).items()))
    return f"{fault}: {len(answers)} calls, {statuses}; the slowest was {slowest.call} with {slowest.seconds:.1f} s"


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(number) for number in found.split()]
