"""A port between the product and one of its servers that fails on demand, so that the server itself can stay up."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_CHUNK_BYTES = 64 * 1024


class TcpProxy:
    """Pass everything on to ``target`` (host:port) until told otherwise."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._is_open = threading.Event()
        self._is_open.set()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def swallow(self) -> None:
        """Take connections and bytes as before, and pass nothing on, like a network that drops packets."""
        self._is_open.clear()

    def cut(self) -> None:
        """Break every connection; new ones are served."""
        cut, self._sockets = self._sockets, []
        for one in cut:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Pass everything on again. What was swallowed is lost, and so are the connections that lost it."""
        self.cut()
        self._is_open.set()

    def close(self) -> None:
        self._server.close()
        self.mend()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._sockets.append(near)
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._is_open.wait()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        self._sockets.append(far)
        threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
        self._pump(near, far)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                self._is_open.wait()
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
