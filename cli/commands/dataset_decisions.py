"""``maoctl dataset promote|discard``: what becomes of files that were kept out of the data."""

from __future__ import annotations

import click

from cli.client import Json
from cli.commands.dataset import dataset
from cli.errors import Interrupted, Refused
from cli.session import Session
from cli.verbs import run_argument, verb, wait_option
from cli.waiting import Watch


@verb(dataset, "promote", "dataset promote 12", "dataset promote 5 --force")
@run_argument
@click.option("--force", is_flag=True, help="Also of a run that has not succeeded; its files may be half written.")
@wait_option
def promote(session: Session, run_id: int, force: bool, timeout_seconds: int | None) -> None:
    """Make the files that are kept of a run part of the data set.

    They are committed to its branch, and pushed where the run publishes so. Exit status 1 when that is refused,
    because one of the files was changed since, or because the run has not succeeded and --force is not given.
    """
    asked = session.server.promote(run_id, {"force": True} if force else {})
    state = _decided(session, run_id, asked, timeout_seconds)
    session.printer.message(
        f"The files of run {run_id} are part of the data, as commit {state['outputCommit']}.", state
    )


@verb(dataset, "discard", "dataset discard 12")
@run_argument
@wait_option
def discard(session: Session, run_id: int, timeout_seconds: int | None) -> None:
    """Remove the files that are kept of a run for good."""
    state = _decided(session, run_id, session.server.discard(run_id), timeout_seconds)
    session.printer.message(f"The files of run {run_id} are removed.", state)


def _decided(session: Session, run_id: int, state: Json, timeout_seconds: int | None) -> Json:
    """Give the run when the agent has carried the decision out; ``state`` is the run as it was asked for."""
    watch = Watch(timeout_seconds)
    try:
        while state["quarantineState"] in ("promoting", "discarding"):
            watch.check(f"Run {run_id} is still {state['quarantineState']}", hint="`maoctl doctor` says why.")
            watch.pause()
            state = watch.ask(lambda: session.server.get_run(run_id))
    except KeyboardInterrupt:
        raise Interrupted(
            f"The agent goes on with run {run_id}.", hint=f"`maoctl run get {run_id}` shows it."
        ) from None
    if state["quarantineState"] == "held":
        raise Refused(str(state.get("quarantineMessage") or f"The files of run {run_id} are still held."))
    return state
