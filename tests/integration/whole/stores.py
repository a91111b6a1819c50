"""PostgreSQL and etcd of a product under test, quickly made: each begins as a copy of one that was migrated once."""

from __future__ import annotations

import atexit
import shutil
import subprocess
from functools import cache
from pathlib import Path

from app.embedded import EtcdServer, PostgresServer, start_etcd, start_postgres
from app.repositories.database import migrate
from tests.integration.conftest import database_url_of
from tests.integration.memory import memory_folder

_OF_ONE_SERVER = ("port", "lock")


class Stores:
    """The folders of both servers, and how to start them in the first place and again."""

    def __init__(self) -> None:
        self.folder = memory_folder("mao-stores-")
        # Copied with their owner, who is another than this process where that is root's.
        subprocess.run(["cp", "-a", _migrated(), self.folder / "postgres"], check=True)

    def start_postgres(self) -> PostgresServer:
        return start_postgres(self.folder / "postgres", is_durable=False)

    def start_etcd(self) -> EtcdServer:
        return start_etcd(self.folder / "etcd", is_durable=False)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _migrated() -> Path:
    """Give the folder of a PostgreSQL that was migrated by the real migrations, and stopped."""
    folder = memory_folder("mao-migrated-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = start_postgres(folder, is_durable=False)
    try:
        migrate(database_url_of(server, server.database))
    finally:
        server.stop()
    for name in _OF_ONE_SERVER:
        (folder / name).unlink(missing_ok=True)
    return folder
