"""``maoctl dataset retrieve``: a clone that shows what was published on a day."""

from __future__ import annotations

import shlex

import click

from cli.bodies import given
from cli.commands.dataset import dataset
from cli.errors import Interrupted
from cli.progress import CloneDisplay
from cli.prompts import StepLeft, is_somebody_there
from cli.retrieving import Found, Wanted, ask_user, find_snapshot, refuse
from cli.session import Session
from cli.verbs import verb, wait_option
from cli.waiting import LIST_LOCAL, Watch, wait_for_clone


@verb(
    dataset,
    "retrieve",
    "dataset retrieve",
    "dataset retrieve --hub dockerhub --date latest --operator panos",
    "dataset retrieve --hub dockerhub --date 2026-03-01 --operator panos --dataset images --as images-then",
)
@click.option("--hub", help="The subject that the data is about.")
@click.option("--date", metavar="DATE", help="The day, as 2026-03-01, or latest.")
@click.option("--operator", help="Whose node collected it.")
@click.option("--dataset", "dataset_name", help="The data set; needed where the operator has several of that day.")
@click.option("--as", "clone_name", metavar="NAME", help="What the clone is called; else after data set and day.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@wait_option
def retrieve(
    session: Session,
    hub: str | None,
    date: str | None,
    operator: str | None,
    dataset_name: str | None,
    clone_name: str | None,
    detach: bool,
    timeout_seconds: int | None,
) -> None:
    """Make a clone on the server that shows exactly what was published on a day.

    What is not named is asked for at a terminal; elsewhere it is an error that lists what there is. The clone is
    never refreshed, and no run works in it; `maoctl dataset remove-local` removes it.
    """
    found = _found(session, Wanted(hub, date, operator, dataset_name), clone_name)
    place = (found.hub, found.date, found.operator, found.dataset)
    state = session.server.retrieve(place, given({"name": clone_name}))
    name = str(state.get("name"))
    if detach:
        session.printer.message(f"The clone '{name}' is requested; `{LIST_LOCAL}` shows it.", state)
        return
    try:
        with CloneDisplay(name) as display:
            state = wait_for_clone(session.server, state, display.show, Watch(timeout_seconds))
    except KeyboardInterrupt:
        raise Interrupted(f"The clone '{name}' goes on without us.", hint=f"Look with `{LIST_LOCAL}`.") from None
    session.printer.message(
        f"Data set '{found.dataset}' of {found.operator}, {found.date}, is at commit {state.get('commit')}"
        f" in {state.get('path')}.",
        state,
    )


def _found(session: Session, wanted: Wanted, clone_name: str | None) -> Found:
    if not is_somebody_there():
        return find_snapshot(session.server, wanted, refuse)
    asked: list[str] = []

    def pick(what: str, choices: list[str]) -> str:
        asked.append(what)
        return ask_user(what, choices)

    try:
        found = find_snapshot(session.server, wanted, pick)
    except StepLeft:
        raise Interrupted("Nothing is retrieved.") from None
    if asked:
        name = ["--as", clone_name] if clone_name else []
        session.note(f"The same again: {shlex.join(['maoctl', 'dataset', 'retrieve', *found.options, *name])}")
    return found
