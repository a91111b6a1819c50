"""``maoctl tool get|add|remove``: the registered tools."""

from __future__ import annotations

from typing import Any

import click

from cli.bodies import given, parse_metrics
from cli.session import Session
from cli.verbs import (
    command_argument,
    env_option,
    limit_option,
    name_argument,
    noun,
    pairs_option,
    publish_option,
    verb,
)

tool = noun("tool", "Register tools, run them now or on a schedule.")

COLUMNS = {"name": "NAME", "author": "AUTHOR", "image": "IMAGE", "data_repo": "DATA REPO", "owner": "OWNER"}
REQUIRED = ("name", "author", "image", "data_repo", "code_repo", "artefact")


@verb(tool, "get", "tool get", "tool get spike -o json")
@click.argument("name", required=False)
@limit_option
def get(session: Session, name: str | None, limit: int) -> None:
    """List the registered tools, or show the entry of one."""
    if name is None:
        session.print_listing(session.server.list_tools(limit), COLUMNS)
    else:
        session.printer.item(session.server.get_tool(name)[0])


@verb(
    tool,
    "add",
    "tool add spike 'A. Panos' panosece/spike:latest https://git.example.org/spike-data.git"
    " https://git.example.org/spike.git spike.csv",
    "tool add probe me probe:1 probes '' '' --timeout-seconds 600 -- python probe.py --all",
)
@name_argument
@click.argument("author")
@click.argument("image")
@click.argument("data_repo")
@click.argument("code_repo")
@click.argument("artefact")
@command_argument
@click.option("--description", help="What the tool does.")
@click.option("--hub", help="The subject that its data is about.")
@click.option("--network", type=click.Choice(["none"]), help="Cut the tool off the network.")
@click.option("--user", help="The user that it runs as.")
@click.option("--memory-mb", type=click.IntRange(min=1), help="Memory limit in MiB.")
@click.option("--cpus", type=click.FloatRange(min=0, min_open=True), help="Processor limit.")
@click.option("--pids", type=click.IntRange(min=1), help="Limit of processes.")
@click.option("--timeout-seconds", type=click.IntRange(min=1), help="End each run after so many seconds.")
@click.option("--profile", type=click.Choice(["standard", "strict", "legacy"]), help="How its container is confined.")
@env_option
@publish_option
@click.option("--on-spike", type=click.Choice(["notify", "fail"]), help="What a spike does to the run.")
@pairs_option("--label", "labels", "Choose a backend.")
@click.option("--metrics", metavar="JSON", help="Method and parameters of the spike detection.")
@click.option("--replace", is_flag=True, help="Replace the entry that has this name.")
def add(session: Session, replace: bool, metrics: str | None, **values: Any) -> None:
    """Register a tool.

    DATA_REPO is a git URL, the name of a registered data set, or '' for a tool that keeps no data. What follows
    '--' is the command that the container runs instead of the image's own.
    """
    entry = {key: values[key] for key in REQUIRED} | given({**values, "metrics": parse_metrics(metrics)})
    if replace:
        _, revision = session.server.get_tool(entry["name"])
        stored, done = session.server.replace_tool(entry, revision), "replaced"
    else:
        stored, done = session.server.add_tool(entry), "registered"
    session.printer.message(f"Tool '{entry['name']}' is {done}.", stored)


@verb(tool, "remove", "tool remove spike")
@name_argument
def remove(session: Session, name: str) -> None:
    """Remove a tool from the registry. Its runs and their reports stay."""
    session.server.remove_tool(name)
    session.printer.message(f"Tool '{name}' is removed.", {"name": name, "isRemoved": True})
