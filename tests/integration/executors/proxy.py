"""A socket between the agent and the container engine that fails on demand, so that the engine itself can stay up."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

from tests.integration.images import SOCKET

_CHUNK_BYTES = 64 * 1024


class EngineProxy:
    """Pass everything on to the engine's socket until told otherwise."""

    def __init__(self, folder: Path, engine: str = SOCKET.removeprefix("unix://")) -> None:
        self.path = folder / "engine.sock"
        self.loses_replies = False
        self._engine = engine
        self._is_cut = False
        self._sockets: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def cut(self) -> None:
        """Break every connection and take no new one, like an engine that was killed."""
        self._is_cut = True
        self._break()

    def mend(self) -> None:
        """Pass everything on again."""
        self._is_cut = False
        self.loses_replies = False

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._break()

    def _break(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                self._sockets += [near, far]
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if is_reply and self.loses_replies:
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
