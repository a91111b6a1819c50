"""Real receivers on loopback: webhooks over http and https, with a certificate authority of the test's own."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.integration.clones.programs import required
from tests.integration.serving import serve

NAME = "hooks.test"
SECRET = "whsec_" + "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and the certificate of ``hooks.test`` that it signed, as files."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        return made


def make_authority(folder: Path) -> Authority:
    """Make keys and certificates in ``folder``."""

    def openssl(*arguments: str) -> None:
        subprocess.run(
            [required("openssl", "openssl"), *arguments], cwd=folder, check=True, capture_output=True, timeout=60
        )

    folder.mkdir()
    openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=of the test", "-days", "2")
    openssl("req", *_KEY, "-keyout", "its.key", "-out", "its.csr", "-subj", f"/CN={NAME}")
    (folder / "names").write_text(f"subjectAltName=DNS:{NAME}\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2")
    openssl("x509", "-req", "-in", "its.csr", *signing, "-out", "its.pem")
    return Authority(folder / "ca.pem", folder / "its.pem", folder / "its.key")


@dataclass
class Request:
    """What a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, **headers: str) -> Answer:
    """Give the answer with that status and nothing in it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


@dataclass
class Receiver:
    """A webhook. Its ``answers`` are given in turn, the last one again and again."""

    authority: Authority | None = None
    answers: list[Answer] = field(default_factory=lambda: [status(204)])
    requests: list[Request] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    is_cut: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        # Callers that break off are what these tests are about.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = int(self._server.server_address[1])
        if self.authority is not None:
            context = self.authority.context()
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
            # The handshake belongs into the thread of the connection.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.close = serve(self._server)

    @property
    def place(self) -> str:
        return f"{NAME}:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' if self.authority else ''}://{self.place}/T0/s3cret-path?q=1"

    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            receiver.connections += 1
            self.request.setblocking(True)
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
            try:
                answer(self)
            except OSError:
                receiver.is_cut.set()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class Dripping:
    """A server that speaks first or answers a byte at a time for ever, until it is cut off; it reads nothing."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.is_cut = threading.Event()
        self._is_over = threading.Event()
        threading.Thread(target=self._drip, daemon=True).start()

    def _drip(self) -> None:
        try:
            connection, _ = self._listening.accept()
            with connection:
                for byte in iter(lambda: self._words, None):
                    connection.sendall(byte)
                    if self._is_over.wait(0.02):
                        return
        except OSError:
            self.is_cut.set()

    def close(self) -> None:
        self._is_over.set()
        self._listening.close()
