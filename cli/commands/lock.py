"""``maoctl lock``: what runs of all nodes hold."""

from __future__ import annotations

import click

from cli.errors import WrongUse
from cli.session import Session
from cli.verbs import limit_option, noun, verb

lock = noun("lock", "See which run holds which lock, and break one.")

COLUMNS = {"key": "LOCK", "runId": "RUN", "node": "NODE", "since": "SINCE", "token": "TOKEN"}


@verb(lock, "get", "lock get")
@limit_option
def get(session: Session, limit: int) -> None:
    """List the locks that runs of all nodes hold."""
    session.print_listing(session.server.list_locks(limit), COLUMNS)


@verb(lock, "break", "lock break archive --yes")
@click.argument("key")
@click.option("--yes", "is_sure", is_flag=True, help="Break it although its holder may be at work.")
def break_(session: Session, key: str, is_sure: bool) -> None:
    """Break a lock. The next run gets it, and the one that held it goes on with a warning.

    The locks of a node that is dead become free by themselves, after 20 seconds where its operator chose nothing else.
    """
    if not is_sure:
        raise WrongUse(
            f"The run that holds the lock '{key}' may be at work, and goes on without it.",
            hint="Look who holds it with `maoctl lock get`; --yes breaks it.",
        )
    session.server.break_lock(key)
    session.printer.message(f"Lock '{key}' is broken.", {"key": key, "isBroken": True})
