"""``maoctl dataset``: the registered data sets and their local clones."""

from __future__ import annotations

import click

from cli.bodies import columns_of, given
from cli.client import Json
from cli.errors import Interrupted
from cli.progress import CloneDisplay
from cli.session import Session
from cli.verbs import limit_option, name_argument, noun, verb, wait_option
from cli.waiting import LIST_LOCAL, Watch, wait_for_clone, wait_for_removal

dataset = noun("dataset", "Register data sets and clone them on the server.")

HISTORIES = ("full", "blobless", "shallow")
COLUMNS = {"name": "NAME", "url": "URL", "hub": "HUB", "owner": "OWNER"}
CLONE_COLUMNS = {
    "name": "NAME",
    "state": "STATE",
    "progressPercent": "%",
    "headCommit": "COMMIT",
    "sizeBytes": "BYTES",
    "updatedTime": "UPDATED",
    "path": "PATH",
    "message": "MESSAGE",
}


@verb(dataset, "get", "dataset get", "dataset get spike-data -o json")
@click.argument("name", required=False)
@limit_option
def get(session: Session, name: str | None, limit: int) -> None:
    """List the registered data sets, or show the entry of one."""
    if name is None:
        session.print_listing(session.server.list_datasets(limit), COLUMNS)
    else:
        session.printer.item(session.server.get_dataset(name)[0])


@verb(
    dataset,
    "add",
    "dataset add spike-data https://git.example.org/spike-data.git --hub dockerhub",
    "dataset add helm-charts https://git.example.org/helm-charts.git --key name,version --history blobless",
)
@name_argument
@click.argument("url")
@click.option("--description", help="What the data is.")
@click.option("--hub", help="The subject that the data is about.")
@click.option("--branch", help="The branch to use; else the remote's default.")
@click.option("--key", metavar="COLUMNS", multiple=True, help="Columns that say which row is which; commas or again.")
@click.option("--history", type=click.Choice(HISTORIES), help="How much of the remote's past a clone holds.")
@click.option("--replace", is_flag=True, help="Replace the entry that has this name.")
def add(session: Session, name: str, url: str, replace: bool, key: tuple[str, ...], **optional: str | None) -> None:
    """Register a data set, which is a git repository."""
    entry: Json = {"name": name, "url": url, **given({**optional, "key": columns_of(key)})}
    if replace:
        _, revision = session.server.get_dataset(name)
        stored, done = session.server.replace_dataset(entry, revision), "replaced"
    else:
        stored, done = session.server.add_dataset(entry), "registered"
    session.printer.message(f"Data set '{name}' is {done}.", stored)


@verb(dataset, "remove", "dataset remove spike-data")
@name_argument
def remove(session: Session, name: str) -> None:
    """Remove a data set from the registry. Its repository and its local clone stay."""
    session.server.remove_dataset(name)
    session.printer.message(f"Data set '{name}' is removed.", {"name": name, "isRemoved": True})


@verb(dataset, "clone", "dataset clone spike-data")
@name_argument
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@wait_option
def clone(session: Session, name: str, detach: bool, timeout_seconds: int | None) -> None:
    """Clone a data set on the server, or refresh the clone that is there."""
    state = session.server.request_clone(name)
    if detach:
        session.printer.message(f"The clone of '{name}' is requested; `{LIST_LOCAL}` shows it.", state)
        return
    try:
        with CloneDisplay(name) as display:
            state = wait_for_clone(session.server, state, display.show, Watch(timeout_seconds))
    except KeyboardInterrupt:
        raise Interrupted(f"The clone of '{name}' goes on without us.", hint=f"Look with `{LIST_LOCAL}`.") from None
    session.printer.message(
        f"Data set '{name}' is at commit {state.get('headCommit') or '(none yet)'} in {state.get('path')}.", state
    )


@verb(dataset, "list-local", "dataset list-local")
@limit_option
def list_local(session: Session, limit: int) -> None:
    """List the clones on the server."""
    session.print_listing(session.server.list_clones(limit), CLONE_COLUMNS)


@verb(dataset, "remove-local", "dataset remove-local spike-data")
@name_argument
@click.option("--force", is_flag=True, help="Also where the clone holds data that is nowhere else. It is lost then.")
@wait_option
def remove_local(session: Session, name: str, force: bool, timeout_seconds: int | None) -> None:
    """Remove the clone on the server. The registered data set stays.

    A clone with uncommitted or unpushed data is kept, unless --force is given.
    """
    state = session.server.remove_clone(name, force=force)
    cure = None if force else "--force removes it with all that it holds."
    try:
        wait_for_removal(session.server, state, Watch(timeout_seconds), cure=cure)
    except KeyboardInterrupt:
        raise Interrupted(f"The removal of '{name}' goes on.", hint=f"Look with `{LIST_LOCAL}`.") from None
    session.printer.message(f"The clone of '{name}' is removed.", {"name": name, "isRemoved": True})
