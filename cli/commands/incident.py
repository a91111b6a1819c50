"""``maoctl incident``: when data looked wrong, or did not come."""

from __future__ import annotations

import click

from cli.bodies import given
from cli.session import Session
from cli.verbs import limit_option, noun, verb

incident = noun("incident", "See when a tool's data looked wrong, or when it was not heard of.")

COLUMNS = {
    "id": "ID",
    "tool": "TOOL",
    "kind": "KIND",
    "state": "STATE",
    "status": "STATUS",
    "runs": "RUNS",
    "openedAt": "OPENED",
    "closedAt": "CLOSED",
    "closedBecause": "BECAUSE",
    "summary": "WHAT",
}


@verb(incident, "get", "incident get --open", "incident get --tool spike -o json")
@click.option("--tool", help="Only incidents of this tool.")
@click.option("--kind", type=click.Choice(["data", "silence"]), help="Only incidents of this kind.")
@click.option("--open", "is_open", is_flag=True, help="Only incidents that are not over.")
@limit_option
def get(session: Session, tool: str | None, kind: str | None, is_open: bool, limit: int) -> None:
    """List incidents, the newest first."""
    query = given({"tool": tool, "kind": kind, "open": "true" if is_open else None})
    found = session.server.list_incidents(limit, query)
    if session.is_for_people:
        for item in found.items:
            item["state"] = "closed" if item.get("closedAt") else "open"
    session.print_listing(found, COLUMNS)
