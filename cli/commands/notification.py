"""``maoctl notification``: what the federation's members told each other, and what became of this node's."""

from __future__ import annotations

import click

from cli.bodies import given
from cli.session import Session
from cli.verbs import limit_option, noun, verb

STATES = ("pending", "delivered", "given_up")

notification = noun("notification", "See spikes and other news of the last 30 days.")

COLUMNS = {"id": "ID", "node": "NODE", "kind": "KIND", "tool": "TOOL", "runId": "RUN", "summary": "SUMMARY"}

DELIVERY_COLUMNS = {
    "id": "ID",
    "kind": "KIND",
    "tool": "TOOL",
    "channel": "CHANNEL",
    "target": "TARGET",
    "state": "STATE",
    "attempts": "ATTEMPTS",
    "dueTime": "NEXT",
    "finishedTime": "FINISHED",
    "message": "MESSAGE",
}


@verb(notification, "get", "notification get --limit 10")
@limit_option
def get(session: Session, limit: int) -> None:
    """List the notifications."""
    session.print_listing(session.server.list_notifications(limit), COLUMNS)


@verb(notification, "deliveries", "notification deliveries --state given_up")
@click.option("--state", type=click.Choice(STATES), help="Only deliveries in this state.")
@limit_option
def deliveries(session: Session, limit: int, state: str | None) -> None:
    """List what became of this node's notifications at each receiver, the newest first."""
    session.print_listing(session.server.list_deliveries(limit, given({"state": state})), DELIVERY_COLUMNS)


@verb(notification, "test", "notification test")
def test(session: Session) -> None:
    """Send a notification of kind 'test' wherever others go: the federation, the log, webhooks, e-mail."""
    identifier = session.server.send_test()
    message = f"Notification {identifier} is on its way; `maoctl notification deliveries` shows what becomes of it."
    session.printer.message(message, {"id": identifier})
