"""``maoctl dataset snapshots``: what each commit of a data set brought."""

from __future__ import annotations

import click

from cli.bodies import given
from cli.commands.dataset import dataset
from cli.session import Session
from cli.times import parse_day
from cli.verbs import limit_option, name_argument, verb

COLUMNS = {
    "date": "DATE",
    "commit": "COMMIT",
    "label": "LABEL",
    "files": "FILES",
    "rows": "ROWS",
    "bytes": "BYTES",
    "runId": "RUN",
    "controlMetric": "METRIC",
    "verdict": "VERDICT",
    "subject": "SUBJECT",
}


@verb(dataset, "snapshots", "dataset snapshots helm-charts", "dataset snapshots helm-charts --since 2026-01-01 -o csv")
@name_argument
@click.option("--since", metavar="DAY", help="The first day, as 2026-01-31, or the one so long ago (7d).")
@click.option("--until", metavar="DAY", help="The last day.")
@click.option("--run", "run_id", metavar="RUN", type=click.IntRange(min=1), help="Only what this run brought.")
@limit_option
def snapshots(
    session: Session, name: str, since: str | None, until: str | None, run_id: int | None, limit: int
) -> None:
    """List what each commit of a data set's clone on the server brought, the newest first."""
    days = {"since": since and parse_day(since, "--since"), "until": until and parse_day(until, "--until")}
    query = given({**days, "run": run_id})
    listing, is_complete = session.server.list_snapshots(name, limit, query)
    session.print_listing(listing, COLUMNS)
    if not is_complete:
        session.note("The server is still reading the history; there may be more.")
