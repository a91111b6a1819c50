"""The embedded PostgreSQL and etcd of `mao up`, where no address of another one is configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from app import embedded
from app.errors import Invalid, Unavailable
from app.machine.instance import claimed, running_pid
from app.settings import Settings

_LOG = logging.getLogger(__name__)


class _Server(Protocol):
    """What PostgreSQL and etcd have in common here."""

    address: str

    def is_alive(self) -> bool: ...

    def stop(self) -> None: ...


_S = TypeVar("_S", bound=_Server, covariant=True)


class KeptServer(Generic[_S]):
    """A server that is started again, at the same address, when it dies."""

    def __init__(self, name: str, start: Callable[[Path], _S], folder: Path, stack: ExitStack) -> None:
        self._name = name
        self._start = start
        self._folder = folder
        self.server = start(folder)
        stack.callback(self.stop)

    def watch(self) -> None:
        """Start the server again if it has died.

        Raises:
            Unavailable: its port was taken meanwhile, so that the others would look for it in vain.
        """
        if self.server.is_alive():
            return
        _LOG.error("%s ended by itself; it is started again.", self._name)
        address = self.server.address
        self.server.stop()
        self.server = self._start(self._folder)
        if self.server.address != address:
            raise Unavailable(f"{self._name} came back at another port.", hint="Run `mao up` again.")

    def stop(self) -> None:
        """End the server."""
        self.server.stop()


def start(settings: Settings, stack: ExitStack) -> tuple[Settings, list[KeptServer[_Server]]]:
    """Start those that are not configured; give the settings that name them. ``stack`` stops them when it is closed."""
    kept: list[KeptServer[_Server]] = []
    if not settings.postgres.address:
        postgres = KeptServer("PostgreSQL", embedded.start_postgres, settings.instance / "postgres", stack)
        settings = _with_postgres(settings, postgres.server)
        kept.append(postgres)
    if not settings.etcd.address:
        etcd = KeptServer("etcd", embedded.start_etcd, settings.instance / "etcd", stack)
        settings = replace(settings, etcd=replace(settings.etcd, address=etcd.server.address))
        kept.append(etcd)
    return settings, kept


@contextmanager
def within_reach(settings: Settings) -> Iterator[Settings]:
    """Give settings that name running databases, for the length of the block.

    Embedded ones are those of the `mao up` that runs for this instance; where none runs, they are started for the time.

    Raises:
        Invalid: none are configured, and `mao up` has never made any.
        Locked: `mao up` is just starting or stopping.
    """
    if settings.postgres.address and settings.etcd.address:
        yield settings
        return
    if not settings.postgres.address and not (settings.instance / "postgres").is_dir():
        raise Invalid(
            f"There is no database: none is configured, and {settings.instance} has none.",
            hint="Name the folder of an installation with --instance.",
        )
    if running_pid(settings.instance) is not None:
        yield _joined(settings)
        return
    with claimed(settings.instance), ExitStack() as stack:
        yield start(settings, stack)[0]


def _joined(settings: Settings) -> Settings:
    if not settings.postgres.address:
        settings = _with_postgres(settings, embedded.postgres_place(settings.instance / "postgres"))
    if not settings.etcd.address:
        address = embedded.etcd_address(settings.instance / "etcd")
        settings = replace(settings, etcd=replace(settings.etcd, address=address))
    return settings


def _with_postgres(settings: Settings, server: embedded.PostgresServer | embedded.PostgresPlace) -> Settings:
    found = replace(
        settings.postgres,
        address=server.address,
        user=server.user,
        password=server.password,
        database=server.database,
    )
    return replace(settings, postgres=found)
