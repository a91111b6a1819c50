"""Notifications of the federation."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.schemas.base import PageQuery
from app.api.schemas.notifications import NotificationPage
from app.api.security import requires

blueprint = Blueprint(
    "notifications", __name__, url_prefix="/api/notifications", description="Spikes and failures that wait for eyes."
)


@blueprint.route("")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, NotificationPage)
def list_notifications(query: dict[str, Any]) -> Any:
    """List the notifications of all nodes; each vanishes after 30 days."""
    return page(
        lambda after, limit: services().notifications.list(after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda notification: notification["id"],
    )
