"""PostgreSQL's LISTEN: what wakes the agent and the callers that wait for a run."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Sequence

import psycopg2
import psycopg2.extensions

from app.errors import DatabaseDown
from app.repositories.database import connect_arguments
from app.repositories.runs import FINAL_CHANNEL

log = logging.getLogger(__name__)
_RECONNECT_SECONDS = 0.5
_LISTEN_SECONDS = 0.5
"""So often the listening thread looks whether it is still wanted."""
_LEADER_LOCK = 0x4D414F02
_CHECK_SECONDS = 5.0
_DISLODGE = """
    select coalesce(bool_or(pg_terminate_backend(other.pid)), false)
      from pg_locks held join pg_stat_activity leader on leader.pid = held.pid
      join pg_stat_activity other using (datname, application_name)
     where held.locktype = 'advisory' and held.granted and held.classid = 0 and held.objid = %s and held.objsubid = 1
       and leader.datname = current_database() and other.pid <> pg_backend_pid()
"""


class Channel:
    """One connection of its own that listens.

    Raises:
        DatabaseDown: from every method, when the connection is lost or cannot be made.
    """

    def __init__(self, url: str, channels: Sequence[str]) -> None:
        try:
            dsn = url.replace("postgresql+psycopg2://", "postgresql://", 1)
            self._connection = psycopg2.connect(dsn, **connect_arguments(_CHECK_SECONDS))
            self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                for channel in channels:
                    cursor.execute(f"listen {channel}")
        except psycopg2.Error as error:
            raise DatabaseDown("PostgreSQL does not answer.") from error

    def wait(self, timeout_seconds: float) -> list[tuple[str, str]]:
        """Give what was told, as (channel, payload), as soon as there is something or the time is over."""
        try:
            # What came along with the answer to a question is here already, and the socket says no more about it.
            if not self._connection.notifies and not select.select([self._connection], [], [], timeout_seconds)[0]:
                return []
            self._connection.poll()
            told = [(notice.channel, notice.payload) for notice in self._connection.notifies]
            self._connection.notifies.clear()
        except (psycopg2.Error, OSError, ValueError) as error:
            raise DatabaseDown("The connection to PostgreSQL was lost.") from error
        return told

    def check(self) -> None:
        """Ask the server for a sign of life."""
        self._ask("select 1")

    def try_to_lead(self) -> bool:
        """Take the lock that one agent holds at a time; it falls with this connection."""
        return self._ask("select pg_try_advisory_lock(%s)", _LEADER_LOCK)

    def dislodge_leader(self) -> bool:
        """End all connections of the process that holds the lock; give whether there was one.

        All of them, because a process that is frozen in a transaction keeps rows from everybody else.
        """
        return self._ask(_DISLODGE, _LEADER_LOCK)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, question: str, *values: int) -> bool:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(question, values)
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise DatabaseDown("The connection to PostgreSQL was lost.") from error
        return bool(row and row[0])


class RunChanges:
    """Wakes those who wait for a run to become final.

    The listening thread begins with the first of them and goes on until ``close``.

    ``most_waiting`` is how many may wait at once without taking the threads that others need.
    """

    def __init__(self, url: str, most_waiting: int) -> None:
        self._url = url
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._waiting: dict[int, list[threading.Event]] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = threading.Event()

    def take_place(self, run_id: int) -> threading.Event | None:
        """Give an event that is set when the run becomes final (or when it may have, unseen by us).

        It is to be given back by ``leave``. None where no more may wait.
        """
        with self._lock:
            if sum(len(events) for events in self._waiting.values()) >= self._most_waiting:
                return None
            event = threading.Event()
            self._waiting.setdefault(run_id, []).append(event)
            if self._thread is None and not self._is_closed.is_set():
                self._thread = threading.Thread(target=self._listen, name="run-changes", daemon=True)
                self._thread.start()
            return event

    def leave(self, run_id: int, event: threading.Event) -> None:
        """Give an event back; doing it twice is no error."""
        with self._lock:
            waiting = self._waiting.get(run_id, [])
            if event in waiting:
                waiting.remove(event)
            if not waiting:
                self._waiting.pop(run_id, None)

    def close(self) -> None:
        """End the listening thread; who waits then sees for itself. Doing it twice is no error."""
        with self._lock:
            self._is_closed.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _listen(self) -> None:
        while not self._is_closed.is_set():
            try:
                self._hear()
            except DatabaseDown:
                log.warning("Waiting callers poll until PostgreSQL is back.")
                self._is_closed.wait(_RECONNECT_SECONDS)

    def _hear(self) -> None:
        channel = Channel(self._url, [FINAL_CHANNEL])
        try:
            self._wake_all()
            while not self._is_closed.is_set():
                for _, payload in channel.wait(_LISTEN_SECONDS):
                    self._tell(payload)
        finally:
            channel.close()

    def _tell(self, payload: str) -> None:
        with self._lock:
            for event in self._waiting.get(int(payload), ()):
                event.set()

    def _wake_all(self) -> None:
        with self._lock:
            for events in self._waiting.values():
                for event in events:
                    event.set()
