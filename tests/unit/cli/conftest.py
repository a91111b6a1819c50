"""A server made of prepared answers, and ``maoctl`` run against it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

import cli.config
import cli.waiting
from cli.client import Client
from cli.main import main

URL = "http://mao.test:8080"
TOKEN = "mao_root_" + "s" * 43


@dataclass
class Reply:
    """An answer; ``values`` is sent as JSON, ``body`` as it is."""

    status: int = 200
    values: Any = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class StubServer(BaseAdapter):
    """Answer each (method, path) with its prepared replies in turn; the last one is repeated. Exceptions are raised."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self.timeouts: list[Any] = []
        self._replies: dict[tuple[str, str], list[Reply | BaseException]] = {}

    def on(self, method: str, path: str, *replies: Reply | BaseException) -> None:
        self._replies[method, path] = list(replies)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self.requests.append(request)
        self.timeouts.append(options.get("timeout"))
        path = request.path_url.split("?")[0]
        waiting = self._replies.get((str(request.method), path))
        assert waiting, f"nobody prepared an answer to {request.method} {path}"
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(reply, BaseException):
            raise reply
        return _response(reply, request)

    def close(self) -> None:
        pass

    def bodies(self, method: str) -> list[Any]:
        return [json.loads(request.body or "null") for request in self.requests if request.method == method]

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path_url}" for request in self.requests]


def _response(reply: Reply, request: requests.PreparedRequest) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.headers = CaseInsensitiveDict(reply.headers)
    response._content = reply.body if reply.values is None else json.dumps(reply.values).encode()
    # The body is here already, also for those who read it in pieces.
    response._content_consumed = True
    response.request = request
    response.url = str(request.url)
    return response


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Result:
    exit: int
    raw: bytes
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def server() -> StubServer:
    return StubServer()


@pytest.fixture
def sleeps() -> list[float]:
    """The pauses that the client made between its tries."""
    return []


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place: no configuration of this machine is seen."""
    for name in ("MAO_URL", "MAO_TOKEN", "MAO_TOKEN_FILE", "MAO_INSTANCE", "MAO_CLI_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(cli.config, "_CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(cli.waiting, "PAUSE_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL and a token in the environment."""
    monkeypatch.setenv("MAO_URL", URL)
    monkeypatch.setenv("MAO_TOKEN", TOKEN)


@pytest.fixture
def bare(server: StubServer, sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``maoctl`` without any configuration."""

    def run(*arguments: str, out: io.TextIOBase | None = None, err: io.TextIOBase | None = None) -> Result:
        pipe = io.BytesIO()
        stdout = out or io.TextIOWrapper(pipe, encoding="utf-8", newline="\n", write_through=True)
        stderr = err or io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stdout)
            patch.setattr(sys, "stderr", stderr)
            status = main(arguments, lambda connection: Client(connection, adapter=server, sleep=sleeps.append))
        shown = stdout.getvalue() if isinstance(stdout, io.StringIO) else pipe.getvalue().decode("utf-8", "replace")
        return Result(status, pipe.getvalue(), shown, stderr.getvalue() if isinstance(stderr, io.StringIO) else "")

    return run


@pytest.fixture
def maoctl(connected: None, bare: Run) -> Run:
    """Run ``maoctl`` against the prepared server."""
    return bare
