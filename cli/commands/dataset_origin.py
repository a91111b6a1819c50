"""``maoctl dataset origin``: which run last wrote a file."""

from __future__ import annotations

import click

from cli.asking import ask
from cli.commands.dataset import dataset
from cli.session import Session
from cli.verbs import name_argument, verb


@verb(dataset, "origin", "dataset origin helm-charts control-2026-11-22.csv")
@name_argument
@click.argument("path")
def origin(session: Session, name: str, path: str) -> None:
    """Show the newest commit that wrote a file of a data set's clone on the server, and the run that made it.

    PATH counts from the top of the data set; a folder has an origin, too. Where the server has no record of the run, it
    tells what the commit says of itself.
    """
    answer = ask(lambda: session.server.get_origin(name, path), f"where '{path}' comes from")
    session.printer.item(answer.json)
