"""Deadlines that this side of a connection to PostgreSQL keeps, whatever the server does.

A server that is frozen, and a network that swallows packets, close no connection and keep no ``statement_timeout``, and
libpq waits for them without end. psycopg2 lets Python do the waiting instead, and so each wait here has an end.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg2
import psycopg2.extensions

ASK_SECONDS = 3.0
"""For connecting, and for what is asked outside a transaction: whether the server is there, and for its lock."""

GRACE_SECONDS = 2.0
"""How much longer than the server we wait, so that a server which is alive has the first word."""

_EVENTS = {psycopg2.extensions.POLL_READ: select.POLLIN, psycopg2.extensions.POLL_WRITE: select.POLLOUT}


class DeadlinePassed(psycopg2.OperationalError):  # type: ignore[misc]
    """The server did not answer in time; the driver has closed the connection."""


class TimedConnection(psycopg2.extensions.connection):  # type: ignore[misc]
    """A connection whose every wait for the server ends."""

    def __init__(self, dsn: str, *, transaction_seconds: float) -> None:
        # Connecting waits already, so the limit is known before.
        self._transaction_seconds = transaction_seconds
        super().__init__(dsn)

    @property
    def limit_seconds(self) -> float:
        """How long the wait that begins now may last."""
        is_in_transaction = self.status == psycopg2.extensions.STATUS_IN_TRANSACTION
        return self._transaction_seconds if is_in_transaction else ASK_SECONDS


def connection_factory(statement_timeout_seconds: float) -> Callable[[str], TimedConnection]:
    """Give what psycopg2 makes connections with, for a server that ends statements after that time."""
    return partial(TimedConnection, transaction_seconds=statement_timeout_seconds + GRACE_SECONDS)


def _wait(connection: Any) -> None:
    """Wait until the server has answered what was sent last.

    Raises:
        DeadlinePassed: it has not, in time. The driver closes the connection on any error that is raised here.
    """
    # Connections that others in this process make know no limit, and have none.
    limit_seconds: float | None = getattr(connection, "limit_seconds", None)
    deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
    while (wanted := connection.poll()) != psycopg2.extensions.POLL_OK:
        waiting = select.poll()
        waiting.register(connection.fileno(), _EVENTS[wanted])
        left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        if not waiting.poll(left_ms):
            raise DeadlinePassed(f"The server did not answer within {limit_seconds:g} seconds.")


# The driver knows one such function for the whole process; threads and forked children have it too.
psycopg2.extensions.set_wait_callback(_wait)
