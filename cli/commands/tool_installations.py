"""``maoctl tool install|update|installed|uninstall|help``: definition tools on the server's node."""

from __future__ import annotations

import click

from cli.asking import ask
from cli.bodies import given
from cli.client import Json
from cli.commands.tool import tool
from cli.commands.tool_schedules import jobs_of
from cli.errors import Interrupted
from cli.installing import LOOK, wait_for_installation, wait_for_uninstalling
from cli.session import Session
from cli.verbs import limit_option, name_argument, verb, wait_option
from cli.waiting import Watch

COLUMNS = {
    "name": "NAME",
    "state": "STATE",
    "isUsable": "USABLE",
    "how": "HOW",
    "commit": "COMMIT",
    "installedTime": "INSTALLED",
    "message": "MESSAGE",
}
_branch_option = click.option("--branch", help="Install the newest commit of this branch; else of the default one.")
_commit_option = click.option("--commit", help="Install exactly this commit.")
_wait_flag = click.option("--wait", is_flag=True, help="Wait until it is ready, and show what the installer prints.")


@verb(tool, "install", "tool install visitors --wait", "tool install visitors --dry-run")
@name_argument
@_branch_option
@_commit_option
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@_wait_flag
@wait_option
def install(
    session: Session,
    name: str,
    branch: str | None,
    commit: str | None,
    dry_run: bool,
    wait: bool,
    timeout_seconds: int | None,
) -> None:
    """Install a definition tool on the server's node. What is installed stays usable until the new one is ready.

    Exit status with --wait: 0 it is ready, 5 it could not be installed.
    """
    body = given({"branch": branch, "commit": commit})
    if dry_run:
        question = {**body, "dryRun": True}
        answer = ask(
            lambda: session.server.request_installation(name, question),
            f"'{name}'",
            timeout_seconds,
            on_wait=lambda: session.note(f"The server is reading the code of '{name}' ..."),
        )
        steps = " ".join(map(str, answer.json.get("steps", [])))
        session.printer.message(f"Installing '{name}' would do this: {steps}", answer.json)
        return
    _request(session, name, body, wait=wait, timeout_seconds=timeout_seconds)


@verb(tool, "update", "tool update visitors --wait")
@name_argument
@_branch_option
@_commit_option
@_wait_flag
@wait_option
def update(
    session: Session, name: str, branch: str | None, commit: str | None, wait: bool, timeout_seconds: int | None
) -> None:
    """Install the newest commit of a tool that is installed. Exit status as for `tool install`."""
    session.server.get_installation(name)
    body = given({"branch": branch, "commit": commit})
    _request(session, name, body, wait=wait, timeout_seconds=timeout_seconds)


def _request(session: Session, name: str, body: Json, *, wait: bool, timeout_seconds: int | None) -> None:
    row = session.server.request_installation(name, body).json
    if not wait:
        session.printer.message(f"The installation of '{name}' is requested; `{LOOK} {name}` shows it.", row)
        return
    try:
        row = wait_for_installation(session.server, row, Watch(timeout_seconds), session.note)
    except KeyboardInterrupt:
        raise Interrupted(f"The installation of '{name}' goes on.", hint=f"Look with `{LOOK} {name}`.") from None
    session.printer.message(f"Tool '{name}' is installed at commit {row.get('commit')}.", row)


@verb(tool, "installed", "tool installed", "tool installed visitors -o json")
@click.argument("name", required=False)
@limit_option
def installed(session: Session, name: str | None, limit: int) -> None:
    """List the definition tools that are installed on the server's node, or show one."""
    if name is None:
        session.print_listing(session.server.list_installations(limit), COLUMNS)
        return
    row = session.server.get_installation(name)
    if session.is_for_people:
        row = {**row, "definition": None}
    session.printer.item(row)


@verb(tool, "uninstall", "tool uninstall visitors")
@name_argument
@wait_option
def uninstall(session: Session, name: str, timeout_seconds: int | None) -> None:
    """Remove all that was installed of a tool. Its entry, its runs, its jobs and its data stay."""
    row = session.server.remove_installation(name)
    try:
        wait_for_uninstalling(session.server, row, Watch(timeout_seconds))
    except KeyboardInterrupt:
        raise Interrupted(f"The removal of '{name}' goes on.", hint=f"Look with `{LOOK} {name}`.") from None
    jobs = jobs_of(session, name)
    session.printer.message(f"Tool '{name}' is uninstalled.", {"name": name, "isUninstalled": True, "jobs": jobs})
    if jobs:
        session.note(f"Tool '{name}' is still run by: {', '.join(jobs)}. End them with `maoctl job remove JOB`.")


@verb(tool, "help", "tool help visitors")
@name_argument
def help_on(session: Session, name: str) -> None:
    """Show the commands of an installed tool and what they take. This works while the agent is down."""
    known = session.server.help_on_tool(name)
    session.print_report({**known, "text": _in_words(known)})


def _in_words(known: Json) -> str:
    lines = [f"{known.get('name')}: {known.get('description')}", ""]
    for command in known.get("commands", []):
        lines += [f"  {command.get('usage')}", f"      {command.get('description')}"]
        lines += [f"      {argument['name']}: {argument['description']}" for argument in command["arguments"]]
    example = (known.get("commands") or [{}])[0]
    words = "".join(f" {word}" for word in str(example.get("usage")).split()[1:])
    call = f"maoctl tool run {known.get('name')} --command {example.get('name')}"
    return "\n".join([*lines, "", f"Run one with: {call} --{words}" if words else f"Run one with: {call}"])
