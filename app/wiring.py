"""The one place that picks concrete parts. Nothing here opens a connection or starts a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from app.models.agent import Agent
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from app.repositories.file_store import FileStore
from app.repositories.index import Index
from app.repositories.listener import RunChanges
from app.repositories.locks import LockRepository
from app.repositories.registry import Registry
from app.services.audit import AuditService
from app.services.clones import CloneService
from app.services.comparisons import ComparisonService
from app.services.datasets import DatasetService
from app.services.figures import FigureService
from app.services.firing import FiringService
from app.services.health import HealthService
from app.services.incident_lists import IncidentService
from app.services.index import IndexService
from app.services.installations import InstallationService
from app.services.jobs import JobService
from app.services.lock_renewal import LeaseRenewer
from app.services.locks import LockService
from app.services.metric_backtests import BacktestService
from app.services.metric_decisions import MetricDecisionService
from app.services.metric_imports import MetricImportService
from app.services.metrics import MetricService
from app.services.notifications import NotificationService
from app.services.origins import OriginService
from app.services.outputs import OutputService
from app.services.passports import PassportService
from app.services.plans import Planner
from app.services.quarantines import QuarantineService
from app.services.questions import QuestionService
from app.services.refusals import RefusalService
from app.services.replays import ReplayService
from app.services.retention import RetentionService
from app.services.run_changes import RunChangeService
from app.services.run_files import FileService
from app.services.runs import RunService
from app.services.snapshots import SnapshotService
from app.services.submitting import SubmitService
from app.services.tokens import TokenService
from app.services.tools import ToolService
from app.services.verifications import VerificationService
from app.services.webhooks import WebhookService
from app.settings import Settings

if TYPE_CHECKING:
    from app.executors.base import Executor
    from app.repositories.workdirs import Workdirs


_FREE_THREADS = 4
"""Threads of an API process that callers who wait for a run or follow its output leave to all others."""


@dataclass(frozen=True)
class Services:
    """Every use case, for the API and for the command line of the server."""

    settings: Settings
    tools: ToolService
    datasets: DatasetService
    clones: CloneService
    snapshots: SnapshotService
    index: IndexService
    runs: RunService
    submissions: SubmitService
    run_changes: RunChangeService
    quarantines: QuarantineService
    replays: ReplayService
    verifications: VerificationService
    comparisons: ComparisonService
    passports: PassportService
    origins: OriginService
    outputs: OutputService
    files: FileService
    webhooks: WebhookService
    jobs: JobService
    tokens: TokenService
    locks: LockService
    notifications: NotificationService
    incidents: IncidentService
    decisions: MetricDecisionService
    figures: FigureService
    health: HealthService
    audit: AuditService
    refusals: RefusalService
    questions: QuestionService
    installations: InstallationService
    metrics: MetricService
    backtests: BacktestService
    metric_imports: MetricImportService
    close: Callable[[], None]
    """Ends the listening thread and closes the connections to PostgreSQL that nobody uses."""


@dataclass(frozen=True)
class AgentParts:
    """What the agent is made of."""

    settings: Settings
    database: Database
    registry: Registry
    index: Index
    locks: LockRepository
    renewer: LeaseRenewer
    planner: Planner
    firing: FiringService
    workdirs: Workdirs
    executors: dict[str, Executor]
    retention: RetentionService


def build(settings: Settings) -> Services:
    """Build the services over PostgreSQL and etcd."""
    database, kv = _database(settings), EtcdKv(settings.etcd)
    registry = Registry(kv)
    planner = Planner(registry, _backends(settings))
    allow_local = settings.git.allow_local
    clones = CloneService(database)
    questions = QuestionService(database, most_waiting=max(settings.api.threads // 2, 1))
    files = FileService(database, FileStore(settings.working_environment.filesdir))
    changes = RunChanges(database.url, most_waiting=max(settings.api.threads - _FREE_THREADS, 1))
    runs = RunService(database, changes)
    installations = InstallationService(database, registry, questions, _backends(settings), allow_local)
    return Services(
        settings=settings,
        tools=ToolService(registry, settings.node, allow_local, installations.check_not_installed),
        datasets=DatasetService(registry, settings.node, allow_local, clones.check_no_snapshot),
        clones=clones,
        snapshots=SnapshotService(database),
        index=IndexService(Index(kv), registry, database, allow_local=allow_local),
        runs=runs,
        submissions=SubmitService(database, planner),
        run_changes=RunChangeService(database),
        quarantines=QuarantineService(database),
        replays=ReplayService(database),
        verifications=VerificationService(database, registry, questions),
        comparisons=ComparisonService(registry, SnapshotService(database), questions),
        passports=PassportService(database),
        origins=OriginService(database, questions, runs),
        outputs=OutputService(database, changes),
        files=files,
        webhooks=WebhookService(database, files),
        jobs=JobService(database, planner),
        tokens=TokenService(database),
        locks=LockService(LockRepository(kv)),
        notifications=NotificationService(registry, database),
        incidents=IncidentService(database, registry),
        decisions=MetricDecisionService(database, registry),
        figures=FigureService(database, settings.limits.concurrent_runs),
        health=HealthService(database.ping, kv.ping, lambda: _agent(database)),
        audit=AuditService(database),
        refusals=RefusalService(database, settings.limits.refusals_per_minute),
        questions=questions,
        metrics=MetricService(database, registry),
        backtests=BacktestService(database, registry),
        metric_imports=MetricImportService(database, registry, questions),
        installations=installations,
        close=partial(_close, changes, database),
    )


def equip(settings: Settings) -> AgentParts:
    """Build what the agent needs; the API never loads a container engine's or git's library."""
    from app.repositories.workdirs import Workdirs

    database, kv = _database(settings), EtcdKv(settings.etcd)
    registry, locks = Registry(kv), LockRepository(kv)
    return AgentParts(
        settings=settings,
        database=database,
        registry=registry,
        index=Index(kv),
        locks=locks,
        renewer=LeaseRenewer(locks, settings.limits.lock_seconds),
        planner=Planner(registry, _backends(settings)),
        firing=FiringService(database, settings.limits.catch_up_per_minute),
        workdirs=Workdirs(settings.git, settings.working_environment.importdir),
        executors={executor.name: executor for executor in _executors(settings)},
        retention=RetentionService(
            database, settings.retention, FileStore(settings.working_environment.filesdir).remove
        ),
    )


def _database(settings: Settings) -> Database:
    return Database(
        settings.database_url,
        pool_size=settings.postgres.pool_size,
        statement_timeout_seconds=settings.postgres.statement_timeout_seconds,
    )


def _close(changes: RunChanges, database: Database) -> None:
    changes.close()
    database.close()


def _backends(settings: Settings) -> Sequence[str]:
    process = ["process"] if settings.working_environment.allow_process_backend else []
    return ["docker", *process, "dummy"]


def _executors(settings: Settings) -> list[Executor]:
    from app.executors.docker import DockerExecutor
    from app.executors.dummy import DummyExecutor

    made: list[Executor] = [
        DockerExecutor(settings.docker, settings.limits.output_bytes),
        DummyExecutor(),
    ]
    if settings.working_environment.allow_process_backend:
        from app.executors.process import ProcessExecutor

        made.append(ProcessExecutor(settings.instance / "process"))
    return made


def _agent(database: Database) -> Agent | None:
    with database.transaction() as session:
        return AgentRepository(session).find_latest()
