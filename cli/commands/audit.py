"""``maoctl audit``: who changed what, when, from where, and with what result."""

from __future__ import annotations

import click

from cli.bodies import given
from cli.session import Session
from cli.times import parse_past
from cli.verbs import noun, verb

audit = noun("audit", "See who changed what, and who was refused.")

COLUMNS = {
    "id": "ID",
    "time": "TIME",
    "actor": "ACTOR",
    "owner": "OWNER",
    "action": "ACTION",
    "target": "TARGET",
    "result": "RESULT",
    "address": "FROM",
    "requestId": "REQUEST",
    "details": "DETAILS",
}


@verb(audit, "get", "audit get --actor ci --from 7d", "audit get --limit 0 -o csv > audit.csv")
@click.option("--actor", help="Only what this token did.")
@click.option("--action", help="Only this use case, as in runs.submit_run.")
@click.option("--target", help="Only what was done to targets that begin with this, as in /api/tools/spike.")
@click.option("--from", "since", metavar="WHEN", help="Not before: an instant with a zone, or so long ago (7d).")
@click.option("--to", "until", metavar="WHEN", help="Before: an instant with a zone, or so long ago (1d).")
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="At most so many; 0: all.")
def get(session: Session, limit: int, since: str | None, until: str | None, **query: str | None) -> None:
    """List changes and refused calls, the newest first."""
    times = {
        "from": parse_past(since, "--from") if since else None,
        "to": parse_past(until, "--to") if until else None,
    }
    asked = given({**query, **times})
    if limit:
        session.print_listing(session.server.list_audit_log(limit, asked), COLUMNS)
    else:
        session.printer.items(session.server.each_of_audit_log(asked), COLUMNS)
