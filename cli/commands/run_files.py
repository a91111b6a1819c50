"""``maoctl run files|upload|download``: the files that a run reads."""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.run import run
from cli.session import Session
from cli.transfers import check_target, fetch, opened, target_of
from cli.verbs import run_argument, verb

COLUMNS = {
    "fileId": "NAME",
    "sizeBytes": "BYTES",
    "sha256": "SHA-256",
    "runId": "OF RUN",
    "uploadedBy": "BY",
    "uploadedTime": "UPLOADED",
}


@verb(run, "files", "run files 12", "run files 12 -o json")
@run_argument
def files(session: Session, run_id: int) -> None:
    """List the files that a run sees: its own, and those of the first run of its chain."""
    session.print_listing(session.server.list_files(run_id), COLUMNS)


@verb(run, "upload", "run upload 12 sources.csv", "run upload 12 /tmp/today.csv --name sources.csv")
@run_argument
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What the run finds it as; else the name that it has here.")
def upload(session: Session, run_id: int, path: Path, name: str | None) -> None:
    """Upload a file for a run that is not started yet, in place of one that has the name."""
    with opened(path) as source:
        stored = session.server.upload_file(run_id, name or path.name, source)
    session.printer.message(f"Run {run_id} has '{stored.get('fileId')}', {stored.get('sizeBytes')} bytes.", stored)


@verb(run, "download", "run download 12 sources.csv", "run download 12 sources.csv --to /tmp/check.csv --force")
@run_argument
@click.argument("name")
@click.option("--to", "place", type=click.Path(path_type=Path), help="Where to put it: a file, or a folder.")
@click.option("--force", is_flag=True, help="Also where there is a file already. It is lost then.")
def download(session: Session, run_id: int, name: str, place: Path | None, force: bool) -> None:
    """Download a file that a run sees, into this folder unless told otherwise."""
    target = target_of(name, place)
    if not force:
        check_target(target)
    size = fetch(session.server, run_id, name, target, force=force)
    done = {"fileId": name, "path": str(target), "sizeBytes": size}
    session.printer.message(f"'{target}' has {size} bytes.", done)
