"""What belongs to the request at hand: the services and who is asking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from flask import current_app, g

from app.models.token import Identity

if TYPE_CHECKING:
    from app.services.audit import AuditService
    from app.services.clones import CloneService
    from app.services.comparisons import ComparisonService
    from app.services.datasets import DatasetService
    from app.services.figures import FigureService
    from app.services.health import HealthService
    from app.services.incident_lists import IncidentService
    from app.services.index import IndexService
    from app.services.installations import InstallationService
    from app.services.jobs import JobService
    from app.services.locks import LockService
    from app.services.metric_backtests import BacktestService
    from app.services.metric_decisions import MetricDecisionService
    from app.services.metric_imports import MetricImportService
    from app.services.metrics import MetricService
    from app.services.notifications import NotificationService
    from app.services.origins import OriginService
    from app.services.outputs import OutputService
    from app.services.passports import PassportService
    from app.services.quarantines import QuarantineService
    from app.services.refusals import RefusalService
    from app.services.replays import ReplayService
    from app.services.run_changes import RunChangeService
    from app.services.run_files import FileService
    from app.services.runs import RunService
    from app.services.snapshots import SnapshotService
    from app.services.submitting import SubmitService
    from app.services.tokens import TokenService
    from app.services.tools import ToolService
    from app.services.verifications import VerificationService
    from app.services.webhooks import WebhookService

EXTENSION = "mao"
DESCRIPTION = "mao.openapi"


class Services(Protocol):
    """What the API needs of the product; the wiring's dataclass has it, and so has a test's stub."""

    @property
    def tools(self) -> ToolService: ...  # noqa: D102

    @property
    def datasets(self) -> DatasetService: ...  # noqa: D102

    @property
    def clones(self) -> CloneService: ...  # noqa: D102

    @property
    def snapshots(self) -> SnapshotService: ...  # noqa: D102

    @property
    def comparisons(self) -> ComparisonService: ...  # noqa: D102

    @property
    def index(self) -> IndexService: ...  # noqa: D102

    @property
    def runs(self) -> RunService: ...  # noqa: D102

    @property
    def submissions(self) -> SubmitService: ...  # noqa: D102

    @property
    def quarantines(self) -> QuarantineService: ...  # noqa: D102

    @property
    def run_changes(self) -> RunChangeService: ...  # noqa: D102

    @property
    def replays(self) -> ReplayService: ...  # noqa: D102

    @property
    def verifications(self) -> VerificationService: ...  # noqa: D102

    @property
    def origins(self) -> OriginService: ...  # noqa: D102

    @property
    def passports(self) -> PassportService: ...  # noqa: D102

    @property
    def outputs(self) -> OutputService: ...  # noqa: D102

    @property
    def files(self) -> FileService: ...  # noqa: D102

    @property
    def webhooks(self) -> WebhookService: ...  # noqa: D102

    @property
    def jobs(self) -> JobService: ...  # noqa: D102

    @property
    def tokens(self) -> TokenService: ...  # noqa: D102

    @property
    def locks(self) -> LockService: ...  # noqa: D102

    @property
    def notifications(self) -> NotificationService: ...  # noqa: D102

    @property
    def incidents(self) -> IncidentService: ...  # noqa: D102

    @property
    def decisions(self) -> MetricDecisionService: ...  # noqa: D102

    @property
    def figures(self) -> FigureService: ...  # noqa: D102

    @property
    def health(self) -> HealthService: ...  # noqa: D102

    @property
    def installations(self) -> InstallationService: ...  # noqa: D102

    @property
    def metrics(self) -> MetricService: ...  # noqa: D102

    @property
    def backtests(self) -> BacktestService: ...  # noqa: D102

    @property
    def metric_imports(self) -> MetricImportService: ...  # noqa: D102

    @property
    def audit(self) -> AuditService: ...  # noqa: D102

    @property
    def refusals(self) -> RefusalService: ...  # noqa: D102


def services() -> Services:
    """Give the services of this application."""
    return cast(Services, current_app.extensions[EXTENSION])


def identity() -> Identity:
    """Give who is asking; only a route that needs a token may call this."""
    return cast(Identity, g.identity)


def importdir() -> Path:
    """Give the folder that holds this node's clones."""
    return Path(current_app.config["IMPORTDIR"])


def description() -> dict[str, Any]:
    """Give the description of this API, in OpenAPI."""
    described: dict[str, Any] = current_app.extensions[DESCRIPTION].to_dict()
    return described


def remember_identity(who: Identity) -> None:
    """Note who is asking, for the rest of this request."""
    g.identity = who


def known_identity() -> Identity | None:
    """Give who is asking, or None where no valid token was shown."""
    return cast("Identity | None", g.get("identity"))


def remember_fields(names: Sequence[str]) -> None:
    """Note which fields the body has, for the audit log."""
    g.fields = tuple(names)


def known_fields() -> tuple[str, ...]:
    """Give which fields the body has, as far as it was read."""
    return cast("tuple[str, ...]", g.get("fields", ()))


def remember_entry(entry_id: int) -> None:
    """Note the number of this request's row in the audit log."""
    g.entry_id = entry_id


def known_entry() -> int | None:
    """Give the number of this request's row in the audit log, or None where it has none."""
    return cast("int | None", g.get("entry_id"))
