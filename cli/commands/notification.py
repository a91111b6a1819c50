"""``maoctl notification``: what the federation's members told each other."""

from __future__ import annotations

from cli.session import Session
from cli.verbs import limit_option, noun, verb

notification = noun("notification", "See spikes and other news of the last 30 days.")

COLUMNS = {"id": "ID", "node": "NODE", "kind": "KIND", "tool": "TOOL", "runId": "RUN", "summary": "SUMMARY"}


@verb(notification, "get", "notification get --limit 10")
@limit_option
def get(session: Session, limit: int) -> None:
    """List the notifications."""
    session.print_listing(session.server.list_notifications(limit), COLUMNS)
