"""Notifications: deliver the outbox to the federation, and listen to what it tells."""

from __future__ import annotations

import logging
from typing import Any

from app.errors import Invalid, RegistryDown
from app.repositories.notifications import NotificationRepository
from app.services.agent_context import AgentContext
from app.services.messages import word_for

log = logging.getLogger(__name__)
_RETRY_SECONDS = 2.0
_TOLD = ("tool", "summary")
_SUMMARY_LENGTH = 1000


def deliver(context: AgentContext) -> int:
    """Put every undelivered notification into etcd and give how many there were; doing it twice changes nothing."""
    with context.database.transaction() as session:
        waiting = NotificationRepository(session).undelivered()
    for notification in waiting:
        values = {
            "kind": notification.kind,
            "tool": notification.tool,
            "run_id": notification.run_id,
            "incident_id": notification.incident_id,
            "summary": notification.summary,
            "values": notification.values,
        }
        _put(context, notification.ulid, values)
        with context.database.transaction() as session:
            NotificationRepository(session).mark_delivered(notification.ulid)
    return len(waiting)


def _put(context: AgentContext, ulid: str, values: dict[str, Any]) -> None:
    """Put a notification into etcd; one that is too large goes without its values, lest it holds up the others."""
    try:
        context.registry.put_notification(context.node, ulid, values)
    except Invalid:
        short = {**values, "values": {}, "summary": values["summary"][:_SUMMARY_LENGTH]}
        context.registry.put_notification(context.node, ulid, short)


def listen(context: AgentContext) -> None:
    """Write a log line for every notification of another member, as it arrives, until the term of office is over."""
    while not context.lost.is_set():
        try:
            for told in context.registry.watch_notifications(context.lost):
                # What this node has to tell is in its log already.
                if told["node"] != context.node:
                    what = word_for(told["kind"], told.get("values") or {})
                    log.warning(
                        "Notification from %s: %s: %s: %s", told["node"], what, *(told[key] or "-" for key in _TOLD)
                    )
        except RegistryDown as error:
            log.warning("No notifications are heard: %s", error.message)
            context.lost.wait(_RETRY_SECONDS)
