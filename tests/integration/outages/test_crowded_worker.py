"""A process of the API with more connections than it keeps: those that have to go take no other with them."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.machine import worker as module
from app.machine.worker import Worker


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def listener(held: ExitStack) -> socket.socket:
    return held.enter_context(socket.create_server(("127.0.0.1", 0)))


@pytest.fixture
def worker(held: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A process that keeps one unfinished request, and one connection that is to be closed."""
    monkeypatch.setattr(module, "_MOST_WAITING", 1)
    cfg = Config()
    made = Worker(0, os.getpid(), [], None, 30, cfg, Logger(cfg))
    held.callback(made.tmp.close)
    made.poller = held.enter_context(selectors.DefaultSelector())
    return made


def visit(worker: Worker, listener: socket.socket, held: ExitStack) -> socket.socket:
    client = held.enter_context(socket.create_connection(listener.getsockname(), timeout=30))
    worker.accept(listener)
    return client


def test_who_says_something_while_it_has_to_go_ends_nothing(
    worker: Worker, listener: socket.socket, held: ExitStack
) -> None:
    first = visit(worker, listener, held)
    first.send(b"G")
    seen = worker.poller.select(30)
    second = visit(worker, listener, held)
    assert first.recv(100).startswith(b"HTTP/1.1 408")
    for key, _ in seen:
        key.data(key.fileobj)
    assert [connection.client for connection in worker._arriving] == [second.getsockname()]


def test_who_leaves_while_it_has_to_go_ends_nothing(worker: Worker, listener: socket.socket, held: ExitStack) -> None:
    first = visit(worker, listener, held)
    second = visit(worker, listener, held)
    first.close()
    seen = [(key, event) for key, event in worker.poller.select(30) if key.data.args[0] in worker._leaving]
    assert len(seen) == 1
    visit(worker, listener, held)
    for key, _ in seen:
        key.data(key.fileobj)
    assert [connection.client for connection in worker._leaving] == [second.getsockname()]
