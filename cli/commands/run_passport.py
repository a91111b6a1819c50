"""``maoctl run show``: all that makes a run's data traceable."""

from __future__ import annotations

import json
import sys

import click

from cli.commands.run import run
from cli.passports import page
from cli.session import Session
from cli.verbs import run_argument, verb


@verb(run, "show", "run show 12", "run show 12 -o json", "run show 12 --ro-crate > ro-crate-metadata.json")
@run_argument
@click.option("--ro-crate", is_flag=True, help="Print it as an RO-Crate (JSON-LD), whatever -o says.")
def show(session: Session, run_id: int, ro_crate: bool) -> None:
    """Show a run's passport: what ran, with what, on which data, and what came of it.

    Of variables and secrets it shows the names, never what is in them.
    """
    if ro_crate:
        sys.stdout.write(f"{json.dumps(session.server.get_crate(run_id), indent=2)}\n")
        return
    passport = session.server.get_passport(run_id)
    if session.is_for_people:
        sys.stdout.writelines(f"{line}\n" for line in page(passport))
    else:
        session.printer.item(passport)
