"""The door to PostgreSQL: engine, transactions, migrations, and the translation of driver errors."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

import migrations
from app.errors import AlreadyExists, DatabaseDown, Invalid, Locked, MaoError
from app.repositories.circuit import Circuit
from app.repositories.deadlines import connection_factory

__all__ = ["Database", "Session", "connect_arguments", "migrate", "savepoint"]

_BROKEN_CONSTRAINTS: dict[str, MaoError] = {
    "uq_runs_clone_held": Locked("Another run holds the clone."),
    "pk_run_output": AlreadyExists("These bytes of output are stored already."),
    "pk_tokens": AlreadyExists("A token with this identifier was made at the same moment."),
    "uq_firings_job_id_due_at": AlreadyExists("This instant has fired already."),
}
_IN_EACH_OTHERS_WAY = ("40001", "40P01", "55P03")
"""What PostgreSQL calls a serialization failure, a deadlock, and a lock that was not to be had in time."""
_OF_ANOTHER_SCHEMA = ("42P01", "42703")
"""What PostgreSQL calls a table, and a column, that is not there."""
_MIGRATION_LOCK = 0x4D414F01
_NAME_BYTES = 63
_MIGRATION_STEP_SECONDS = 60.0
_MIGRATION_LOCK_SECONDS = 5.0
_LOCK_SECONDS = 3.0
"""How long a statement waits for a lock. One call may have to wait twice, and is to be answered within 10 all the same.
"""
_POOL_SECONDS = 3.0
"""How long a transaction waits for a connection of the pool. With the longest wait for the server it stays below 10."""


class Database:
    """Gives transactions. Nothing connects before the first one.

    ``statement_timeout_seconds`` ends any statement that hangs, on the server and a little later on this side, where
    the server is frozen too; connections are checked before use, so that a restarted server is no error of the next
    request.
    """

    def __init__(self, url: str, *, pool_size: int = 5, statement_timeout_seconds: float = 5.0) -> None:
        self.url = url
        self._pool_size = pool_size
        self._statement_timeout_seconds = statement_timeout_seconds
        self._circuit = Circuit()
        self._engine: Engine | None = None
        self._new_session: sessionmaker[Session] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session that commits at the end of the block, or rolls back on an error.

        Raises:
            DatabaseDown: PostgreSQL does not answer, or refuses to work (its disk is full, it is starting).
            Conflict: a constraint forbids it; which child depends on the constraint.
            Invalid: a value does not fit its column.
        """
        with _translated(), self._circuit.guard(), self._sessions().begin() as session:
            yield session

    @contextmanager
    def repeatable_transaction(self) -> Iterator[Session]:
        """Give a session like ``transaction``, whose commit does not wait for the disk.

        A server that crashes in the next half second may forget it. It is for steps that are simply done again then,
        and it spares each of them the time of a disk's flush.
        """
        with self.transaction() as session:
            session.execute(text("set local synchronous_commit to off"))
            yield session

    @contextmanager
    def reading_transaction(self) -> Iterator[Session]:
        """Give a session like ``transaction`` that only reads, and whose statements all see the same moment.

        It is for answers that are put together from several statements while others go on writing.
        """
        with self.transaction() as session:
            session.execute(text("set transaction isolation level repeatable read, read only"))
            yield session

    def ping(self) -> str:
        """Give the server's version.

        Raises:
            DatabaseDown: it does not answer.
        """
        with self.transaction() as session:
            return str(session.scalar(text("show server_version")))

    def close(self) -> None:
        """Close every idle connection."""
        if self._engine is not None:
            self._engine.dispose()

    def _sessions(self) -> sessionmaker[Session]:
        with self._lock:
            if self._new_session is None:
                self._engine = _engine(self.url, self._pool_size, self._statement_timeout_seconds)
                self._new_session = sessionmaker(self._engine, expire_on_commit=False)
            return self._new_session


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """Undo what the block did where it fails, and nothing else of the transaction; errors as for ``transaction``."""
    with _translated(), session.begin_nested():
        yield


def connect_arguments(statement_timeout_seconds: float, lock_timeout_seconds: float = _LOCK_SECONDS) -> dict[str, Any]:
    """Give the driver's options under which a server that vanished or froze is noticed within seconds."""
    return {
        # One name a process: who waits for a frozen agent's lock finds all of its connections by it.
        "application_name": f"mao {os.getpid()}@{socket.gethostname()}"[:_NAME_BYTES],
        "connection_factory": connection_factory(statement_timeout_seconds),
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 8000,
        # The server, too, has to notice that we vanished: a lock of ours would stay for hours.
        "options": f"-c statement_timeout={int(statement_timeout_seconds * 1000)}"
        f" -c lock_timeout={int(lock_timeout_seconds * 1000)} -c timezone=UTC"
        " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
        " -c idle_in_transaction_session_timeout=60000"
        # Our statements are short: to compile one, or to start helpers for it, takes longer than it saves.
        " -c jit=off -c max_parallel_workers_per_gather=0",
    }


def _engine(url: str, pool_size: int, statement_timeout_seconds: float) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=connect_arguments(statement_timeout_seconds),
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise _conflict(error) from error
    except DataError as error:
        raise Invalid("A value does not fit where it is to be stored.") from error
    except ProgrammingError as error:
        # Any other is a mistake of ours, which must not look like an outage.
        if getattr(error.orig, "pgcode", None) not in _OF_ANOTHER_SCHEMA:
            raise
        hint = "Bring the database to this version's schema with: mao db upgrade"
        raise DatabaseDown("PostgreSQL holds another schema than this version's.", hint=hint) from error
    except (DBAPIError, PoolTimeout) as error:
        if getattr(getattr(error, "orig", None), "pgcode", None) in _IN_EACH_OTHERS_WAY:
            raise DatabaseDown("PostgreSQL is busy with another change of the same.", hint="Try again.") from error
        raise DatabaseDown("PostgreSQL does not answer.", hint="It is tried again; see the server's log.") from error


def _conflict(error: IntegrityError) -> MaoError:
    name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    known = _BROKEN_CONSTRAINTS.get(name or "")
    if known is None:
        return AlreadyExists(f"What is stored forbids it ({name}).")
    return type(known)(known.message)


def migrate(url: str) -> None:
    """Bring the database at ``url`` to the newest schema; two at once wait for each other.

    Raises:
        DatabaseDown: PostgreSQL does not answer.
        Invalid: the database holds a schema that this version does not know.
    """
    # Only whoever migrates pays for loading Alembic.
    import alembic.command
    import alembic.config
    import alembic.util

    engine = create_engine(url, connect_args=connect_arguments(_MIGRATION_STEP_SECONDS, _MIGRATION_LOCK_SECONDS))
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    try:
        with _translated(), engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        raise Invalid(
            f"The database's schema is not one that this version knows: {error}.",
            hint="Install the version that wrote it, or a later one.",
        ) from error
    except SQLAlchemyError as error:
        raise DatabaseDown("PostgreSQL does not answer.") from error
    finally:
        engine.dispose()
