"""What a webhook leaves in the log: nothing of its address, and no word of its receiver."""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from app import log
from app.notification_settings import NotificationSettings
from app.repositories.outgoing import Sender

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header, but their-words\r\n\r\n"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give what a process writes that logs all that it can."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    names = ("", "urllib3", "apscheduler", "alembic")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = logging.getLogger().handlers[:]
    log.set_up("DEBUG")
    yield written
    logging.getLogger().handlers[:] = handlers
    for logger, level in before:
        logger.setLevel(level)


def _answer(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while not connection.recv(65536).endswith(b"{}"):
            pass
        connection.sendall(ANSWER)


def test_neither_the_secret_path_nor_the_receivers_words_are_logged(written: io.StringIO) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        answering = threading.Thread(target=_answer, args=(server,))
        answering.start()
        given = NotificationSettings(webhooks=f"http://{place}/s3cret-path", webhook_allow=place)
        Sender(given.allowed).post(given.receivers[0], b"{}", {})
        answering.join()
    logging.getLogger("app").info("a line of ours")
    assert "a line of ours" in written.getvalue()
    assert "s3cret-path" not in written.getvalue()
    assert "their-words" not in written.getvalue()
