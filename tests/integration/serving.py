"""Servers that answer in a thread of the test's own process."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable

_LOOK_SECONDS = 0.02
"""A server looks so often whether it is to end; the library's own half second is one for each test."""


def serve(server: socketserver.BaseServer) -> Callable[[], None]:
    """Let the server answer from now on, and give what ends it."""
    # Who comes may be gone before it is let in; a server that waited for the next would not end.
    server.socket.setblocking(False)
    thread = threading.Thread(target=server.serve_forever, args=[_LOOK_SECONDS], daemon=True)
    thread.start()

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
