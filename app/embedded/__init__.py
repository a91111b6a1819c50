"""Postgres and etcd as child processes of ours, for ``mao up`` on one machine and for tests.

A folder belongs to one server. What it holds survives: the data, the port, the password, the log. A server that a
killed ``mao up`` left behind is ended cleanly before the next one begins.
"""

from __future__ import annotations

from app.embedded.etcd import EtcdServer, etcd_address, start_etcd
from app.embedded.postgres import PostgresPlace, PostgresServer, postgres_place, start_postgres

__all__ = [
    "EtcdServer",
    "PostgresPlace",
    "PostgresServer",
    "etcd_address",
    "postgres_place",
    "start_etcd",
    "start_postgres",
]
