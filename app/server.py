"""The `mao` command: the server side of the product.

The commands that a process of the product runs for itself (``agent``, ``db upgrade``) import their part when they are
called, so that `mao up`, which only watches, stays small.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from app import __version__, log, settings
from app.errors import Invalid, MaoError
from app.settings import Settings

_INSTANCE = click.option(
    "--instance",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of this installation's state and config.ini. Default: MAO_INSTANCE, else ./instance.",
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
_OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form of what is printed."
)
_FAILED = 1


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Show an error that was raised on purpose as one sentence and its cure, without a trace."""
    try:
        yield
    except MaoError as error:
        click.echo(f"mao: {error.message}", err=True)
        if error.hint:
            click.echo(f"     {error.hint}", err=True)
        sys.exit(_FAILED)


def _loaded(instance: Path | None) -> Settings:
    log.set_up()
    return settings.load(instance=instance)


def _loaded_with_database(instance: Path | None) -> Settings:
    found = _loaded(instance)
    if not found.postgres.address:
        raise Invalid(
            "No address of a PostgreSQL is configured.",
            hint="`mao up` starts one of its own and does this by itself; for a server of yours, set POSTGRES.address.",
        )
    return found


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mao")
def cli() -> None:
    """Run the server side of MAO Orchestrator. The command line for its users is `maoctl`."""


@cli.command()
@_INSTANCE
@click.option("--host", help="Address that the API listens on, instead of the configured one.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port that the API listens on.")
@click.option("--detach", is_flag=True, help="Return when everything is ready; `mao down` stops it.")
def up(instance: Path | None, host: str | None, port: int | None, detach: bool) -> None:
    """Run everything on this machine: API, agent and, where none are configured, PostgreSQL and etcd.

    Example: mao up --instance ~/mao
    """
    from app.machine import background
    from app.machine import up as machine

    with _plain_errors():
        found = _loaded(instance)
        found = replace(found, api=replace(found.api, host=host or found.api.host, port=port or found.api.port))
        sys.exit(background.start(found, click.echo) if detach else machine.run(found, click.echo))


@cli.command()
@_INSTANCE
@click.option("--all", "stop_runs", is_flag=True, help="Stop the live runs first. Without it they go on.")
def down(instance: Path | None, stop_runs: bool) -> None:
    """Stop what `mao up` runs for an instance.

    Example: mao down --instance ~/mao
    """
    from app.machine import background

    with _plain_errors():
        background.stop(_loaded(instance), click.echo, stop_runs=stop_runs)


@cli.command()
@_INSTANCE
def agent(instance: Path | None) -> None:
    """Run the agent: it claims runs, watches over containers and keeps the schedule.

    Example: mao agent --instance /var/lib/mao
    """
    from app.agent import run

    with _plain_errors():
        status = run(_loaded_with_database(instance))
        # A thread that waits for a slow remote must not keep the process; whoever comes next goes on from the rows.
        sys.stdout.flush()
        os._exit(status)


@cli.group()
def db() -> None:
    """Look after the database."""


@db.command()
@_INSTANCE
def upgrade(instance: Path | None) -> None:
    """Bring the database to the newest schema. Doing it again changes nothing.

    Example: mao db upgrade --instance /var/lib/mao
    """
    from app.repositories import database

    with _plain_errors():
        database.migrate(_loaded_with_database(instance).database_url)
        click.echo("The database has the newest schema.")


@cli.group()
def token() -> None:
    """Look after the root token; all others are made with `maoctl token create`."""


@token.command()
@_INSTANCE
@click.option("--save", is_flag=True, help="Store it for the maoctl of this machine instead of showing it.")
def create(instance: Path | None, save: bool) -> None:
    """Make the root token, in place of the one before. It is shown once.

    Example: mao token create --instance /var/lib/mao
    """
    from app.machine import up as machine
    from app.wiring import build

    with _plain_errors():
        found = _loaded_with_database(instance)
        made = build(found).tokens.create_root(found.working_environment.user)
        if save:
            machine.save_connection(found, made)
        click.echo(f"Stored in {found.instance / 'maoctl.ini'}." if save else made)


@cli.command()
@_INSTANCE
@_DRY_RUN
@_OUTPUT
def retention(instance: Path | None, dry_run: bool, output: str) -> None:
    """Remove now what is older than the section RETENTION keeps it; the agent does so every hour by itself.

    Example: mao retention --dry-run
    """
    from app.machine import cleaning

    with _plain_errors():
        cleaning.remove_expired(_loaded(instance), click.echo, is_dry_run=dry_run, is_json=output == "json")


@cli.command()
@_INSTANCE
@_DRY_RUN
@_OUTPUT
def gc(instance: Path | None, dry_run: bool, output: str) -> None:
    """Remove what nobody needs any more: left containers, images, files, secrets and halves of clones.

    Nothing is touched that this installation did not make itself. Exit status: 1 where something could not be looked at
    or removed.

    Example: mao gc --dry-run
    """
    from app.machine import cleaning

    with _plain_errors():
        problems = cleaning.collect_garbage(_loaded(instance), click.echo, is_dry_run=dry_run, is_json=output == "json")
        for problem in problems:
            click.echo(f"mao: {problem}", err=True)
        sys.exit(_FAILED if problems else 0)


_PLACE = click.Path(exists=True, path_type=Path)


@cli.command()
@click.argument("old", metavar="A", type=_PLACE)
@click.argument("new", metavar="B", type=_PLACE)
@click.option(
    "--key", default="", help="Columns that say which row is which, divided by commas; else whole rows count."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv", "html", "update"]),
    default="text",
    show_default=True,
    help="Form of the answer; `update` writes the lines of B that are nowhere in A.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file; what is in it is lost."
)
@click.option("--force", is_flag=True, help="Let `update` overwrite an `update.csv` that is there already.")
@click.option(
    "--header", type=click.Choice(["auto", "yes", "no"]), default="auto", help="Whether the first row holds names."
)
@click.option("--delimiter", help="What divides cells: `,` or `;` or `|` or `tab`; else it is found out.")
@click.option("--limit", type=int, default=1000, show_default=True, help="Show at most so many differences.")
def compare(
    old: Path,
    new: Path,
    key: str,
    form: str,
    output: Path | None,
    force: bool,
    header: str,
    delimiter: str | None,
    limit: int,
) -> None:
    """Compare two CSV files, or two folders of files: which rows and which cells differ.

    Exit status: 0 nothing differs, 1 something does, 2 wrong use.

    Example: mao compare monday.csv tuesday.csv --key id
    """
    from app.machine import comparing

    wish = comparing.Wish(key, form, output, header, delimiter, limit, force)
    sys.exit(comparing.run(old, new, wish, lambda problem: click.echo(f"mao: {problem}", err=True)))


@cli.command(hidden=True)
@_INSTANCE
def prepare(instance: Path | None) -> None:
    """Do what `mao up` does before it starts API and agent: newest schema, and a valid root token for maoctl.

    Example: mao prepare --instance /var/lib/mao
    """
    from app.machine import up as machine
    from app.repositories import database
    from app.wiring import build

    with _plain_errors():
        found = _loaded_with_database(instance)
        database.migrate(found.database_url)
        if machine.keep_or_make_token(found, build(found).tokens):
            click.echo("made")


@cli.command()
@_INSTANCE
@click.option("--backend", type=click.Choice(["docker", "process"]), default="docker", show_default=True)
def demo(instance: Path | None, backend: str) -> None:
    """Show the product at work: a collector, three runs of it, a report with a spike, a schedule.

    Example: mao demo --instance .demo
    """
    from app.machine import demo as story

    with _plain_errors():
        story.tell(_loaded(instance or Path(".demo")), backend, click.echo)


def main() -> None:
    """Run the `mao` command."""
    cli(prog_name="mao")


if __name__ == "__main__":
    main()
