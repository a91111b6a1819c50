"""Servers that speak HTTP and then something else than git expects: garbage, nothing, too much, or lies."""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress

ZERO = b"0" * 40
ONE = b"1" * 40
_ADVERTISED = b"application/x-git-upload-pack-advertisement"
_RESULT = b"application/x-git-upload-pack-result"
_DRIP_SECONDS = 0.2

Pieces = Iterator[bytes]


def line(data: bytes) -> bytes:
    """Give one line of git's protocol."""
    return f"{len(data) + 4:04x}".encode() + data


def _head(kind: bytes, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: " + kind + b"\r\nConnection: close\r\n" + extra + b"\r\n"


def _refs(*lines: bytes) -> bytes:
    """Advertise references, in the oldest version of the protocol; the first line carries what the server can do."""
    return _head(_ADVERTISED) + line(b"# service=git-upload-pack\n") + b"0000" + b"".join(map(line, lines)) + b"0000"


def _one(name: bytes, what: bytes = ONE) -> bytes:
    return what + b" " + name + b"\0side-band-64k ofs-delta symref=HEAD:refs/heads/main agent=git/evil\n"


def _answer(*pieces: bytes) -> Callable[[bytes], Pieces]:
    return lambda request: iter(pieces)


def _for_ever(first: bytes, piece: bytes) -> Callable[[bytes], Pieces]:
    def pieces(request: bytes) -> Pieces:
        yield first
        while True:
            yield piece

    return pieces


def _with_pack(pack: bytes) -> Callable[[bytes], Pieces]:
    """Advertise one branch, and send ``pack`` when its commit is asked for."""

    def pieces(request: bytes) -> Pieces:
        if request.startswith(b"GET"):
            yield _refs(_one(b"HEAD"), ONE + b" refs/heads/main\n")
        else:
            yield _head(_RESULT) + line(b"NAK\n")
            for start in range(0, len(pack), 60_000):
                yield line(b"\1" + pack[start : start + 60_000])
            yield b"0000"

    return pieces


def _pack(count: int, objects: bytes) -> bytes:
    return b"PACK\0\0\0\2" + count.to_bytes(4, "big") + objects + b"\0" * 20


def _size(kind: int, length: int) -> bytes:
    head, length = (kind << 4) | (length & 15), length >> 4
    given = bytearray()
    while length:
        given.append(head | 128)
        head, length = length & 127, length >> 7
    return bytes(given) + bytes([head])


def _endless_pack(request: bytes) -> Pieces:
    if request.startswith(b"GET"):
        yield _refs(_one(b"HEAD"), ONE + b" refs/heads/main\n")
        return
    yield _head(_RESULT) + line(b"NAK\n") + line(b"\1PACK\0\0\0\2\xff\xff\xff\xff")
    blob = _size(3, 65_000) + zlib.compress(bytes(range(250)) * 260, 0)
    while True:
        for start in range(0, len(blob), 60_000):
            yield line(b"\1" + blob[start : start + 60_000])


def _endless_talk(request: bytes) -> Pieces:
    if request.startswith(b"GET"):
        yield _refs(_one(b"HEAD"), ONE + b" refs/heads/main\n")
        return
    yield _head(_RESULT) + line(b"NAK\n")
    while True:
        yield line(b"\2\x1b[31mtalk, talk, talk\n" * 100)


def _dumb(files: Mapping[str, bytes]) -> Callable[[bytes], Pieces]:
    """Serve files as a server does that knows nothing of git; PORT in them is that of its neighbour."""

    def pieces(request: bytes) -> Pieces:
        path = request.split(b" ")[1].decode().partition("?")[0]
        found = next((data for name, data in files.items() if path.endswith(name)), None)
        yield _head(b"text/plain", b"404 Not Found" if found is None else b"200 OK") + (found or b"")

    return pieces


_COMMIT = b"refs/heads/main"
SERVERS: Mapping[str, Callable[[bytes], Pieces]] = {
    "says nothing": _for_ever(b"", b""),
    "hangs up": _answer(),
    "is no HTTP": _answer(b"SSH-2.0-OpenSSH\r\n" * 10),
    "never ends its headers": _for_ever(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 4000 + b"\r\n"),
    "never ends one header": _for_ever(b"HTTP/1.1 200 OK\r\nX-More: ", b"x" * 60_000),
    "sends a page": _answer(_head(b"text/html") + b"<html>log in</html>"),
    "sends garbage": _answer(_head(_ADVERTISED) + bytes(range(256)) * 40),
    "sends garbage for ever": _for_ever(_head(_ADVERTISED), b"\xff" * 60_000),
    "advertises nothing": _answer(_head(_ADVERTISED)),
    "stops in a line": _answer(_head(_ADVERTISED) + b"001e# service=git-up"),
    "has a line of a wrong length": _answer(_head(_ADVERTISED) + line(b"# service=git-upload-pack\n") + b"zzzz"),
    "has a line of no length": _answer(_head(_ADVERTISED) + line(b"# service=git-upload-pack\n") + b"0003"),
    "drips": _for_ever(_head(_ADVERTISED), b"0"),
    "never ends its branches": _for_ever(
        _head(_ADVERTISED) + line(b"# service=git-upload-pack\n") + b"0000" + line(_one(b"HEAD")),
        b"".join(line(ONE + f" refs/heads/{number}\n".encode()) for number in range(1000)),
    ),
    "has a branch that goes up": _answer(_refs(_one(b"HEAD"), ONE + b" refs/heads/../../../config\n")),
    "has a branch with a newline": _answer(_refs(_one(b"HEAD"), ONE + b" refs/heads/a\nfetch = +x\n")),
    "has a branch that is an option": _answer(_refs(_one(b"HEAD"), ONE + b" --upload-pack=touch\n")),
    "has a branch with control characters": _answer(_refs(_one(b"HEAD"), ONE + b" refs/heads/\x1b[31m\n")),
    "has a branch with a name of 60,000": _answer(_refs(_one(b"HEAD"), ONE + b" refs/heads/" + b"n" * 60_000 + b"\n")),
    "has a head outside": _answer(_refs(ONE + b" HEAD\0symref=HEAD:refs/heads/../../config agent=x\n")),
    "has an object without a name": _answer(_refs(b"z" * 40 + b" HEAD\0agent=x\n")),
    "has another kind of objects": _answer(_refs(_one(b"HEAD").replace(b"ofs-delta", b"object-format=md5"))),
    "says an error with escapes": _answer(_refs(b"ERR \x1b[31mrm -rf\x07 " + b"e" * 900 + b"\n")),
    "sends no pack": _with_pack(b""),
    "sends a pack that is none": _with_pack(b"KCAP" + b"x" * 1000),
    "sends a pack of another version": _with_pack(b"PACK\0\0\0\7\0\0\0\1"),
    "sends a pack that stops": _with_pack(_pack(9, _size(3, 5) + zlib.compress(b"12345"))),
    "sends a pack with a wrong sum": _with_pack(_pack(1, _size(3, 5) + zlib.compress(b"12345"))),
    "sends a pack without the commit": _with_pack(_pack(0, b"")),
    "sends an object that is longer than it says": _with_pack(_pack(1, _size(3, 5) + zlib.compress(b"0" * 10**7))),
    "sends an object of a terabyte": _with_pack(_pack(1, _size(3, 2**40) + zlib.compress(b"0" * 10**6))),
    "sends a change to nothing": _with_pack(_pack(1, _size(7, 9) + b"\7" * 20 + zlib.compress(b"\x05\x05\x90\5"))),
    "never ends its pack": _endless_pack,
    "never ends its talk": _endless_talk,
    "sends elsewhere": _answer(_head(b"text/plain", b"302 Found", b"Location: http://127.0.0.1:PORT/x\r\n")),
    "sends elsewhere for good": _answer(_head(b"text/plain", b"308 Moved", b"Location: http://localhost:PORT/\r\n")),
    "sends to a file": _answer(_head(b"text/plain", b"302 Found", b"Location: file:///etc/passwd\r\n")),
    "wants a password": _answer(_head(b"text/plain", b"401 No", b'WWW-Authenticate: Basic realm="\x1b[31m"\r\n')),
    "wants another login": _answer(_head(b"text/plain", b"401 No", b"WWW-Authenticate: Negotiate\r\n")),
    "wants a proxy's password": _answer(_head(b"text/plain", b"407 No")),
    "forbids": _answer(_head(b"text/plain", b"403 No")),
    "breaks": _answer(_head(b"text/plain", b"500 No")),
    "breaks for a while": _answer(_head(b"text/plain", b"503 No", b"Retry-After: 100000\r\n")),
    "counts wrong": _answer(b"HTTP/1.1 200 OK\r\nContent-Type: " + _ADVERTISED + b"\r\nContent-Length: -5\r\n\r\nx"),
    "sets cookies": _answer(_head(b"text/plain", b"404 No", b"Set-Cookie: a=b; Path=/\r\n")),
    "is dumb and borrows from its neighbour": _dumb(
        {
            "/info/refs": ONE + b"\trefs/heads/main\n",
            "/HEAD": b"ref: refs/heads/main\n",
            "/objects/info/http-alternates": b"http://127.0.0.1:PORT/x/objects\n",
            "/objects/info/alternates": b"/etc\nhttp://localhost:PORT/x\n",
        }
    ),
    "is dumb and has a bomb": _dumb(
        {"/info/refs": ONE + b"\trefs/heads/main\n", "/HEAD": ONE + b"\n", "1" * 38: zlib.compress(b"0" * 10**8)}
    ),
}


class EvilServer:
    """Answers each request to ``/<number>.git`` as the server of that number does; ``port`` replaces PORT."""

    def __init__(self, neighbour: int) -> None:
        self._neighbour = str(neighbour).encode()
        self._servers = list(SERVERS.values())
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._is_over = threading.Event()
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{list(SERVERS).index(name)}.git"

    def close(self) -> None:
        self._is_over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            request = connection.recv(65_536)
            number = int(request.split(b" ")[1].split(b".git")[0].strip(b"/"))
            for piece in self._servers[number](request):
                connection.sendall(piece.replace(b"PORT", self._neighbour))
                if len(piece) < 2 and self._is_over.wait(_DRIP_SECONDS):
                    return
