"""What belongs to the request at hand: the services and who is asking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from flask import current_app, g

from app.models.token import Identity

if TYPE_CHECKING:
    from app.services.clones import CloneService
    from app.services.datasets import DatasetService
    from app.services.health import HealthService
    from app.services.jobs import JobService
    from app.services.notifications import NotificationService
    from app.services.runs import RunService
    from app.services.tokens import TokenService
    from app.services.tools import ToolService

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
    def runs(self) -> RunService: ...  # noqa: D102

    @property
    def jobs(self) -> JobService: ...  # noqa: D102

    @property
    def tokens(self) -> TokenService: ...  # noqa: D102

    @property
    def notifications(self) -> NotificationService: ...  # noqa: D102

    @property
    def health(self) -> HealthService: ...  # noqa: D102


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
