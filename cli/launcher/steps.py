"""The launcher's steps about tools and data: each asks for what a command needs and gives its words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import click

from cli.client import Json
from cli.definition_commands import known_commands
from cli.endpoints import Server
from cli.errors import Refused
from cli.prompts import Choice, ask, ask_needed, choose
from cli.retrieving import Wanted, ask_user, find_snapshot

PUBLISHING = (
    Choice("push", "push: committed and pushed, so that others can retrieve it"),
    Choice("commit", "commit: committed to the clone on the server"),
    Choice("none", "none: left there as files"),
)
MOST = 500
"""So many tools, clones or snapshots are offered at most."""
_DIGITS = 12


def register(server: Server) -> list[str]:
    """Ask how a tool is to be registered, and for what that needs."""
    how = choose("How?", [Choice("link", "by its git link"), Choice("fields", "by its fields, one by one")])
    return _by_link() if how == "link" else _by_fields()


def _by_link() -> list[str]:
    link = ask_needed("Git link of the tool")
    author = ask("Author, or nothing")
    image = ask("Image, or nothing: then it runs as a process, which the node must allow (allow_process_backend)")
    named = [*([f"--author={author}"] if author else []), *([f"--image={image}"] if image else [])]
    return ["tool", "add", f"--git={link}", *named, *_options()]


def _by_fields() -> list[str]:
    name = ask_needed("Name of the tool")
    author = ask_needed("Author")
    image = ask_needed("Image")
    data_repo = ask("Data: a git link, the name of a data set, or nothing for a tool that keeps none")
    code_repo = ask("Code: a git link, or nothing")
    artefact = ask("Artefact: the file that it makes, or nothing")
    command = ask_command("Command, or nothing for the image's own")
    fields = [name, author, image, data_repo, code_repo, artefact]
    return ["tool", "add", *_options(), *with_command(fields, command)]


def _options() -> list[str]:
    """Ask for what is said of a tool beside its fields."""
    hub = ask("Hub: the subject that its data is about, or nothing")
    publish = choose("What becomes of the data of a good run?", PUBLISHING)
    return [*([f"--hub={hub}"] if hub else []), f"--publish={publish}"]


def install(server: Server) -> list[str]:
    """Ask which tool to install."""
    return ["tool", "install", which_tool(server), "--wait"]


def show_help(server: Server) -> list[str]:
    """Ask of which tool the help is to be shown."""
    return ["tool", "help", which_tool(server)]


def run(server: Server) -> list[str]:
    """Ask which tool to run, with which command and arguments."""
    name = which_tool(server)
    commands = {str(command.get("name")): command for command in known_commands(server, name)}
    if not commands:
        words = ask_command("Command and arguments, or nothing for the tool's own")
        return ["tool", "run", *with_command([name], words)]
    described = [Choice(word, _described(command, "usage", "description")) for word, command in commands.items()]
    chosen = choose("Which command?", described)
    arguments = [ask(_described(argument, "name", "description")) for argument in commands[chosen].get("arguments", [])]
    return ["tool", "run", f"--command={chosen}", *with_command([name], arguments)]


def retrieve(server: Server) -> list[str]:
    """Ask from hub to day to operator which snapshot to retrieve, and how to call it."""
    found = find_snapshot(server, Wanted(), ask_user)
    name = ask("Name of the clone, or nothing for its own")
    return ["dataset", "retrieve", *found.options, *([f"--as={name}"] if name else [])]


def compare(server: Server) -> list[str]:
    """Ask of which data set which two snapshots are to be compared."""
    name = which_clone(server)
    choices = [_snapshot(item) for item in server.list_snapshots(name, MOST, {})[0].items]
    if len(choices) <= 1:
        raise Refused(f"'{name}' has no two snapshots yet.")
    new = choose("The newer one?", choices)
    place = next(number for number, choice in enumerate(choices) if choice.value == new)
    old = choose("The older one?", choices[place + 1 :] or choices[:place])
    return ["dataset", "compare", name, old, new]


def which_tool(server: Server) -> str:
    """Ask for one of the registered tools.

    Raises:
        Refused: there is none.
    """
    tools = server.list_tools(MOST).items
    described = [Choice(str(tool.get("name")), _described(tool, "name", "description", "image")) for tool in tools]
    return choose("Which tool?", some(described, "No tool is registered yet."))


def which_clone(server: Server) -> str:
    """Ask for one of the clones on the server.

    Raises:
        Refused: there is none.
    """
    clones = server.list_clones(MOST).items
    described = [Choice(str(clone.get("name")), _described(clone, "name", "state", "url")) for clone in clones]
    return choose("Which data set?", some(described, "No data set is cloned on the server yet."))


def _snapshot(item: Json) -> Choice:
    """Make a choice of a snapshot, whose value is a reference that means it for good."""
    commit, label, run_id = str(item.get("commit"))[:_DIGITS], item.get("label"), item.get("runId")
    words = (item.get("date"), commit, label, f"run {run_id}" if run_id else "", item.get("subject"))
    return Choice(f"{commit}:{label}" if label else commit, "  ".join(str(word) for word in words if word))


def some(choices: Sequence[Choice], otherwise: str) -> Sequence[Choice]:
    """Give the choices, of which there must be one.

    Raises:
        Refused: there is none, in these words.
    """
    if not choices:
        raise Refused(otherwise)
    return choices


def ask_command(question: str) -> list[str]:
    """Ask for words, in quotes where they hold spaces."""
    while True:
        try:
            return shlex.split(ask(question))
        except ValueError:
            click.echo("A quote is open there; quotes come in pairs.", err=True)


def with_command(values: list[str], command: Sequence[str]) -> list[str]:
    """Give the words of a command line whose arguments are ``values``, and behind ``--`` the tool's own command."""
    if any(value.startswith("-") for value in values):
        # Else it would be taken for an option. All that follows the first -- are arguments.
        return ["--", *values, *command]
    return [*values, *(["--", *command] if command else [])]


def _described(item: Json, *keys: str) -> str:
    return "  ".join(_told(str(item.get(key) or "") for key in keys))


def _told(words: Iterable[str]) -> Iterable[str]:
    return (word for word in words if word)
