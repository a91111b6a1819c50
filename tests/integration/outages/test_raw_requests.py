"""Bytes that no client library would send, through the real server."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

from tests.integration.outages.site import Site

PATHS = ["/healthz", "/api/tools", "/api/runs/1", "/api/runs/1/output.txt", "/api/docs", "/nowhere"]
LEAST_CALLS = 250
_SILENCE_SECONDS = 20


def raw_requests(token: str) -> Iterator[bytes]:
    auth = f"X-Api-Token: {token}\r\n".encode()
    for path in (path.encode() for path in PATHS):
        get = b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n" + auth
        post = b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + auth
        # The first line.
        yield b"GET " + path + b"\r\n\r\n"
        yield b"GET " + path + b" HTTP/9.9\r\nHost: h\r\n\r\n"
        yield b"GET " + path + b" HTTP/1.0\r\n\r\n"
        yield b"GET  " + path + b"  HTTP/1.1\r\n\r\n"
        yield b"G\0T " + path + b" HTTP/1.1\r\n\r\n"
        yield b"get " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        yield b"GET " + path + b"?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        yield b"GET " + path + b"\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n"
        yield b"GET " + path + b"/%00/%ff HTTP/1.1\r\nHost: h\r\n" + auth + b"\r\n"
        yield b"GET /../../.." + path + b" HTTP/1.1\r\nHost: h\r\n" + auth + b"\r\n"
        yield b"GET //" + path + b" HTTP/1.1\r\nHost: h\r\n" + auth + b"\r\n"
        yield b"GET http://other.example.org" + path + b" HTTP/1.1\r\nHost: h\r\n" + auth + b"\r\n"
        yield b"CONNECT other.example.org:443 HTTP/1.1\r\nHost: h\r\n\r\n"
        yield b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"
        yield b"TRACE " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n"
        yield b"\r\n" * 50 + get + b"\r\n"
        # Headers.
        yield get + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n"
        yield get + b"".join(b"X-%d: y\r\n" % number for number in range(100)) + b"\r\n"
        yield get + b"X-Folded: a\r\n b\r\n\r\n"
        yield get + b"No colon here\r\n\r\n"
        yield get + b": no name\r\n\r\n"
        yield get + b"X-Nul: a\0b\r\n\r\n"
        yield get + b"X Space: a\r\n\r\n"
        yield get + b"X-Latin: \xe9\xff\r\n\r\n"
        yield get + b"X_Api_Token: x\r\nx-api-token: y\r\n\r\n"
        yield get + b"Host: other\r\n\r\n"
        yield get + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        yield get + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
        yield get + b"X-Bare: a\n\n\r\n\r\n"
        # Bodies.
        yield post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
        yield post + b"Content-Length: -1\r\n\r\n{}"
        yield post + b"Content-Length: 0x2\r\n\r\n{}"
        yield post + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}"
        yield post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: gzip\r\n\r\n{}"
        yield post + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 9000 + b"\r\n{}\r\n0\r\n\r\n"
        yield post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Api-Token: y\r\n\r\n"
        yield post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n"
        yield post + b"Content-Length: 2000000\r\n\r\n" + b" " * 2_000_000


def test_whatever_is_sent_is_answered_below_500_and_the_server_lives_on(site: Site) -> None:
    answers = [(sent, exchange(site, sent)) for sent in raw_requests(site.token)]
    sins = [f"{sent[:120]!r} gave {answer[:300]!r}" for sent, answer in answers if is_sin(answer)]
    print(Counter(answer.split(b" ", 2)[1][:3] if answer else b"closed" for _, answer in answers))
    assert not sins, "\n".join(sins)
    assert len(answers) >= LEAST_CALLS
    assert site.timed("GET", "/api/tools").status == 200


def is_sin(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 5") or b"Traceback" in answer or b"site-packages" in answer


def exchange(site: Site, sent: bytes) -> bytes:
    """Give all that the server answers; it ends every one of these connections."""
    with socket.create_connection(("127.0.0.1", site.settings.api.port), timeout=_SILENCE_SECONDS) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:
            return b""
