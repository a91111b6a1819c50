"""What ``maoctl`` alone shows at a terminal. Each choice becomes a command, which is shown and then carried out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from cli.endpoints import Server
from cli.launcher import run_steps, schedule_steps, steps
from cli.prompts import Choice, StepLeft, pick
from cli.terminal import clean

Step = Callable[[Server], list[str]]
"""Asks the user what a command needs, and gives its words."""

MENU: dict[str, tuple[str, Step]] = {
    "register": ("Register a tool, by its git link or by its fields", steps.register),
    "install": ("Install a tool that is kept in a git repository", steps.install),
    "help": ("Show what a tool can do", steps.show_help),
    "run": ("Run a tool", steps.run),
    "retrieve": ("Retrieve what was published on a day", steps.retrieve),
    "compare": ("Compare two snapshots of a data set", steps.compare),
    "schedule": ("Run a tool again and again", schedule_steps.schedule),
    "runs": ("Look at runs: list them, follow the output, read the report, stop one", run_steps.look),
}
QUIT = "quit"
GREETING = "What do you want to do? Each choice shows the command that does it."
HOW_TO_LEAVE = "Ctrl-C leaves a step, q or Ctrl-D leaves maoctl."


@dataclass(frozen=True)
class Outside:
    """What the launcher uses of ``maoctl``.

    ``server`` gives the server, ``call`` carries out a command with the options in ``options`` before it, and
    ``report`` tells the user of an error. No command is carried out in any other way.
    """

    server: Callable[[], Server]
    call: Callable[[Sequence[str]], int]
    report: Callable[[Exception], int]
    options: Sequence[str] = ()


def launch(outside: Outside) -> None:
    """Show the menu and do what is chosen, until the user leaves. Errors come back to the menu."""
    click.echo(f"{GREETING}\n{HOW_TO_LEAVE}", err=True)
    choices = [*(Choice(word, text) for word, (text, _) in MENU.items()), Choice(QUIT, "Quit")]
    while True:
        try:
            chosen = pick("Your choice", choices)
            if chosen in (None, QUIT):
                return
            _carry_out(outside, MENU[str(chosen)][1])
        except (StepLeft, KeyboardInterrupt):
            click.echo(HOW_TO_LEAVE, err=True)
        except EOFError:
            click.echo(err=True)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the user is told of it in the menu
            outside.report(error)


def _carry_out(outside: Outside, step: Step) -> None:
    words = [*outside.options, *step(outside.server())]
    click.echo(f"$ {clean(shlex.join(['maoctl', *words]))}", err=True)
    outside.call(words)
