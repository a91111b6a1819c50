"""A node with garbage on it, over real services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from app.executors.base import Executor
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from app.repositories.registry import Registry
from app.repositories.workdirs import Workdirs
from app.services.garbage import Collection, Finder, Premises, collect, find
from app.services.garbage_finders import REST, attempts_on
from app.settings import Settings


def premises_of(settings: Settings, executors: Mapping[str, Executor], **retention: int) -> Premises:
    """Give the premises of an installation whose database is fresh."""
    settings = replace(settings, retention=replace(settings.retention, **retention))
    database = Database(settings.database_url)
    with database.transaction() as session:
        installation = AgentRepository(session).installation().identifier
    return Premises(
        settings=settings,
        database=database,
        registry=Registry(EtcdKv(settings.etcd)),
        workdirs=Workdirs(settings.git, settings.working_environment.importdir),
        executors=executors,
        installation=installation,
    )


def finders_of(premises: Premises) -> list[Finder]:
    return [*attempts_on(premises.executors), *REST]


def found_in(premises: Premises) -> Collection:
    return find(premises, finders_of(premises))


def collected_from(premises: Premises) -> Collection:
    return collect(premises, finders_of(premises), "olga")


def execute(database: Database, statement: str, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(text(statement), values)
