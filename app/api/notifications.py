"""Notifications of the federation, and the deliveries of this node's own."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import services
from app.api.pages import page
from app.api.schemas.base import NoBody, PageQuery
from app.api.schemas.notifications import DeliveryPage, DeliveryQuery, NotificationPage, SentSchema
from app.api.security import Changes, requires
from app.models.token import Permission

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


@blueprint.route("/deliveries")
@requires(Permission.NODE_WRITE)
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200, DeliveryPage)
def list_deliveries(query: dict[str, Any]) -> Any:
    """List what became of this node's notifications at each receiver, the newest first."""
    return page(
        lambda after, limit: services().notifications.deliveries(state=query["state"], after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda delivery: " ".join(delivery.place),
    )


@blueprint.route("/test", methods=["POST"])
@requires(Permission.NODE_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, SentSchema)
def test_notifications(_: dict[str, Any]) -> Any:
    """Send a notification of kind `test` wherever others go."""
    return {"id": services().notifications.test()}
