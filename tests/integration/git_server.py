"""A git server over HTTP for tests: ``git http-backend`` behind WSGI, with tokens, and with faults on request.

Bodies are streamed both ways, so that a test can stop a transfer in its middle.
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from werkzeug.serving import make_server

from tests.integration.serving import serve

AUTHOR = {
    "GIT_AUTHOR_NAME": "A. Researcher",
    "GIT_AUTHOR_EMAIL": "researcher@example.org",
    "GIT_COMMITTER_NAME": "A. Researcher",
    "GIT_COMMITTER_EMAIL": "researcher@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}
_CHUNK = 16_384
_BEFORE_THE_GATE = 524_288


def git(*arguments: str | Path, cwd: Path, data: bytes | None = None) -> str:
    """Run git as a person would, outside the product, and give what it prints."""
    command = ["git", "-c", "init.defaultBranch=main", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=AUTHOR, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


class Origin:
    """A bare repository, and a person's own clone of it from which it is changed."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.desk = bare.with_name(f"{bare.name}-desk")
        bare.parent.mkdir(parents=True, exist_ok=True)
        git("init", "-q", "--bare", bare, cwd=bare.parent)
        git("config", "http.receivepack", "true", cwd=bare)
        git("clone", "-q", bare, self.desk, cwd=bare.parent)

    def push(self, files: dict[str, str | bytes], message: str = "data", *options: str) -> str:
        """Write files at the desk, commit and push them, and give the commit."""
        for name, content in files.items():
            path = self.desk / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        git("add", "-A", cwd=self.desk)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.desk)
        git("push", "-q", *options, "origin", "HEAD", cwd=self.desk)
        return git("rev-parse", "HEAD", cwd=self.desk)


@dataclass
class GitServer:
    """Serves every bare repository below ``root`` as ``<url>/<name>.git``.

    ``private`` names the repositories that want a token; ``tokens`` maps a token to ``read`` and ``write``. ``faults``
    maps a repository to status lines that are given, one a request, instead of an answer (an empty one: the answer);
    the last one stays.
    Those in ``two_faced`` speak git's protocol with every other command only, and else serve files, as the simplest of
    servers do. While ``gate`` is cleared every answer stops after its first 512 KiB.
    """

    root: Path
    private: set[str] = field(default_factory=set)
    tokens: dict[str, set[str]] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    two_faced: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> GitServer:
        self.gate.set()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._end = serve(self._server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._end()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}.git"

    def origin(self, name: str) -> Origin:
        return Origin(self.root / f"{name}.git")

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes] | list[bytes]:
        path = environ["PATH_INFO"]
        name = path.lstrip("/").split("/")[0].removesuffix(".git")
        self.requests.append(f"{environ['REQUEST_METHOD']} {path}")
        refusal = self._fault(name) or self._refusal(name, environ)
        if refusal:
            headers = [("WWW-Authenticate", 'Basic realm="git"')] if refusal.startswith("401") else []
            status, _, location = refusal.partition(" -> ")
            start(status, [*headers, *([("Location", location)] if location else [])])
            return [b"no\n"]
        if name in self.two_faced and self._is_dumb(path):
            return self._file(path, start)
        return self._backend(environ, start)

    def _is_dumb(self, path: str) -> bool:
        """Tell whether the command that asks now is served files; every command begins with the same question."""
        begun = sum(request.endswith(path.split(".git/")[0] + ".git/info/refs") for request in self.requests)
        return begun % 2 == 0

    def _file(self, path: str, start: Callable[..., Any]) -> list[bytes]:
        place = self.root / path.lstrip("/")
        is_there = place.is_file()
        start("200 OK" if is_there else "404 Not Found", [("Content-Type", "text/plain")])
        return [place.read_bytes() if is_there else b""]

    def _fault(self, name: str) -> str | None:
        waiting = self.faults.get(name)
        if not waiting:
            return None
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _refusal(self, name: str, environ: dict[str, Any]) -> str | None:
        is_write = "git-receive-pack" in environ["PATH_INFO"] + environ.get("QUERY_STRING", "")
        if name not in self.private and not is_write:
            return None
        rights = self.tokens.get(_token(environ.get("HTTP_AUTHORIZATION", "")))
        if rights is None:
            return "401 Unauthorized"
        return None if ("write" if is_write else "read") in rights else "403 Forbidden"

    def _backend(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        process = subprocess.Popen(
            ["git", "http-backend"], env=self._cgi(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        for chunk in _body(environ):
            process.stdin.write(chunk)
        process.stdin.close()
        status, headers = "200 OK", []
        while line := process.stdout.readline().rstrip(b"\r\n"):
            key, _, value = line.decode().partition(": ")
            if key == "Status":
                status = value
            else:
                headers.append((key, value))
        start(status, headers)
        return self._stream(process)

    def _stream(self, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        assert process.stdout
        sent = 0
        try:
            while chunk := process.stdout.read(_CHUNK):
                yield chunk
                sent += len(chunk)
                if sent > _BEFORE_THE_GATE:
                    self.gate.wait()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()

    def _cgi(self, environ: dict[str, Any]) -> dict[str, str]:
        passed = ("PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH")
        cgi = {key: environ[key] for key in (*passed, "HTTP_CONTENT_ENCODING") if environ.get(key)}
        # The program cannot be asked for a version of the protocol by a header that it does not see.
        cgi["GIT_PROTOCOL"] = environ.get("HTTP_GIT_PROTOCOL", "")
        user = {"REMOTE_USER": "tester", "REMOTE_ADDR": "127.0.0.1"}
        return {**AUTHOR, **cgi, **user, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1"}


def _body(environ: dict[str, Any]) -> Iterator[bytes]:
    stream = environ["wsgi.input"]
    left = int(environ["CONTENT_LENGTH"]) if environ.get("CONTENT_LENGTH") else None
    if left is None and not environ.get("wsgi.input_terminated"):
        return
    while left is None or left > 0:
        chunk = stream.read(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def _token(header: str) -> str:
    kind, _, value = header.partition(" ")
    if kind == "Basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return value


def processes_that_name(text: str) -> list[int]:
    """List the living processes whose command line holds ``text``, this one aside."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if text.encode() in line:
                found.append(int(folder.name))
    return found
