"""How gunicorn's workers of this product take connections: whoever is slow waits without a thread.

gunicorn gives a thread to each connection as soon as something of it has arrived, so some dozens of clients that send
half a request and wait would stop everybody else. Here the main loop collects requests, and threads get whole ones.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app.machine.arrivals import READ_AHEAD_BYTES, Arrival, PacedSocket

_ARRIVAL_SECONDS = 10.0
_LEAVING_SECONDS = 2.0
_MOST_WAITING = 256
"""So many connections of each kind may wait; then the oldest has to go."""

_NO_READER = struct.pack("ll", 10, 0)
"""The kernel's form of the ten seconds after which a client that reads nothing of its answer loses it."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 85\r\n\r\n"
    b'{"code": 408, "status": "Request Timeout", "message": "The request did not arrive."}\n'
)


class _Connection(TConn):  # type: ignore[misc]
    """A connection that does not hold up the main loop while it is closed."""

    worker: Worker

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully means that what was answered reaches the client first."""
        if graceful:
            self.worker.let_go(self)
        else:
            super().close()


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker with threads, whose threads wait for no client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Both are in the order in which their connections have to be gone.
        self._arriving: OrderedDict[_Connection, Arrival] = OrderedDict()
        self._leaving: OrderedDict[_Connection, float] = OrderedDict()
        super().__init__(*args, **kwargs)

    @property
    def worker_connections(self) -> int:
        """How many connections there may be: as many at work as there are threads, and those that arrive."""
        return int(self.cfg.threads) + len(self._arriving)

    @worker_connections.setter
    def worker_connections(self, _: int) -> None:
        """Ignore gunicorn's own number, which counts slow connections like others."""

    def accept(self, listener: Any) -> None:
        """Take a connection, and begin to collect its request."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if len(self._arriving) >= _MOST_WAITING:
            self._give_up(next(iter(self._arriving)))
        self.nr_conns += 1
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _NO_READER)
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.worker = self
        self._arriving[connection] = Arrival(time.monotonic() + _ARRIVAL_SECONDS)
        self.poller.register(client, selectors.EVENT_READ, partial(self._collect, connection))
        self._collect(connection, client)

    def let_go(self, connection: _Connection) -> None:
        """End our side of the connection, and wait in the main loop until the client has ended its own."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.sock.setblocking(False)
            self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._drain, connection))
        except (OSError, ValueError):
            connection.close()
            return
        if len(self._leaving) >= _MOST_WAITING:
            self._forget(next(iter(self._leaving)))
        self._leaving[connection] = time.monotonic() + _LEAVING_SECONDS

    def murder_pending(self) -> None:
        """Close the connections whose time is over; gunicorn calls this at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        while self._arriving and next(iter(self._arriving.values())).deadline < now:
            self._give_up(next(iter(self._arriving)))
        while self._leaving and next(iter(self._leaving.values())) < now:
            self._forget(next(iter(self._leaving)))

    def _collect(self, connection: _Connection, client: socket.socket) -> None:
        # It may have had to go for one that came in the same round of the main loop.
        if connection not in self._arriving:
            return
        try:
            data = client.recv(READ_AHEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        arrival = self._arriving[connection]
        if not data and not arrival.data:
            self._end_arrival(connection).close()
        elif arrival.add(data) or not data:
            self._hand_over(self._end_arrival(connection), bytes(arrival.data))
        elif arrival.is_expecting:
            arrival.is_expecting = False
            with suppress(OSError):
                client.send(_CONTINUE)

    def _hand_over(self, connection: _Connection, data: bytes) -> None:
        self.nr_conns += 1
        connection.init()
        connection.parser.unreader.unread(data)
        connection.parser.unreader.sock = PacedSocket(connection.sock)
        self.enqueue_req(connection)

    def _give_up(self, connection: _Connection) -> None:
        with suppress(OSError):
            connection.sock.send(_TOO_SLOW)
        self._end_arrival(connection).close(graceful=True)

    def _end_arrival(self, connection: _Connection) -> _Connection:
        del self._arriving[connection]
        self.poller.unregister(connection.sock)
        self.nr_conns -= 1
        return connection

    def _drain(self, connection: _Connection, client: socket.socket) -> None:
        if connection not in self._leaving:
            return
        with suppress(BlockingIOError):
            try:
                is_over = not client.recv(READ_AHEAD_BYTES)
            except ConnectionError:
                is_over = True
            if is_over:
                self._forget(connection)

    def _forget(self, connection: _Connection) -> None:
        del self._leaving[connection]
        self.poller.unregister(connection.sock)
        connection.close()
