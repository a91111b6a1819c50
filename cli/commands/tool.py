"""``maoctl tool get|add|remove``: the registered tools."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from cli.asking import ask
from cli.bodies import given, parse_metrics
from cli.client import Json
from cli.errors import Refused, WrongUse
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
_OF_GIT = ("given_author", "given_image", "given_artefact")
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
    "tool add --git https://git.example.org/visitors.git --author 'Ada L.'",
)
@click.argument("name", required=False)
@click.argument("author", required=False)
@click.argument("image", required=False)
@click.argument("data_repo", required=False)
@click.argument("code_repo", required=False)
@click.argument("artefact", required=False)
@command_argument
@click.option("--git", "url", metavar="URL", help="Fill the entry from the mao.yml of this git repository.")
@click.option("--branch", help="With --git: read this branch; else the remote's default.")
@click.option("--author", "given_author", help="With --git: who wrote it.")
@click.option("--image", "given_image", help="With --git: run it in containers of this image; else as processes.")
@click.option("--artefact", "given_artefact", help="With --git: what else belongs to it.")
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
@click.option("--on-spike", type=click.Choice(["notify", "quarantine", "fail"]), help="What a spike does to the run.")
@pairs_option("--label", "labels", "Choose a backend.")
@click.option("--metrics", metavar="JSON", help="Method and parameters of the spike detection.")
@click.option("--replace", is_flag=True, help="Replace the entry that has this name.")
def add(session: Session, replace: bool, metrics: str | None, **values: Any) -> None:
    """Register a tool: by its six arguments, or with --git by the definition in its repository and no argument.

    DATA_REPO is a git URL, the name of a registered data set, or '' for a tool that keeps no data. What follows
    '--' is the command that the container runs instead of the image's own.
    """
    origin = {key: values.pop(key) for key in ("url", "branch", *_OF_GIT)}
    needed = _of_git(session, origin, values) if origin["url"] else _of_arguments(origin, values)
    entry = needed | given({**values, "metrics": parse_metrics(metrics)} | needed)
    if replace:
        _, revision = session.server.get_tool(entry["name"])
        stored, done = session.server.replace_tool(entry, revision), "replaced"
    else:
        stored, done = _new(session, entry), "registered"
    session.printer.message(f"Tool '{entry['name']}' is {done}.", stored)
    if origin["url"]:
        session.note(f"To use its code: maoctl tool install {entry['name']}")


def _new(session: Session, entry: Json) -> Json:
    try:
        return session.server.add_tool(entry)
    except Refused as error:
        if error.status == HTTPStatus.CONFLICT:
            error.hint = "Choose another name, or replace the entry that has it with --replace."
        raise


def _of_arguments(origin: Json, values: Json) -> Json:
    if any(origin.values()):
        raise WrongUse("--branch, --author, --image and --artefact belong to --git.")
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in REQUIRED and values[parameter.name] is None:
            raise click.MissingParameter(ctx=context, param=parameter, param_hint=f"'{parameter.name.upper()}'")
    return {key: values[key] for key in REQUIRED}


def _of_git(session: Session, origin: Json, values: Json) -> Json:
    """Fill what an entry needs from the definition at a git address."""
    if any(values[key] is not None for key in REQUIRED) or values["command"]:
        raise WrongUse("With --git the repository's definition names the tool; give no argument.")
    url = str(origin["url"])
    found = ask(
        lambda: session.server.find_definition(url, origin["branch"] or ""),
        url,
        on_wait=lambda: session.note(f"The server is reading {url} ..."),
    )
    definition = found.json["definition"]
    return {
        "name": definition["name"],
        "author": origin["given_author"] or "",
        "image": origin["given_image"] or "",
        "data_repo": definition["remote"],
        "code_repo": url,
        "artefact": origin["given_artefact"] or "",
        "description": values["description"] or definition["description"],
    }


@verb(tool, "remove", "tool remove spike")
@name_argument
def remove(session: Session, name: str) -> None:
    """Remove a tool from the registry. Its runs and their reports stay. Uninstall it first where it is installed."""
    session.server.remove_tool(name)
    session.printer.message(f"Tool '{name}' is removed.", {"name": name, "isRemoved": True})
