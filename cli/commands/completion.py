"""``maoctl completion``: let the shell complete nouns, verbs and options."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from cli.session import Session
from cli.verbs import verb

COMPLETE_VARIABLE = "_MAOCTL_COMPLETE"


def add_completion(root: click.Group) -> None:
    """Add the command to ``root``, which is what it completes."""

    @verb(root, "completion", "completion bash > ~/.local/share/bash-completion/completions/maoctl")
    @click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
    def completion(session: Session, shell: str) -> None:
        """Print the script that completes `maoctl` in a shell."""
        script = script_for(root, shell)
        if session.is_for_people:
            sys.stdout.write(f"{script}\n")
        else:
            session.printer.item({"shell": shell, "script": script})


def script_for(root: click.Group, shell: str) -> str:
    """Give the completion script for ``shell``."""
    shell_class = get_completion_class(shell)
    assert shell_class is not None, "click knows every shell that the argument allows"
    return shell_class(root, {}, "maoctl", COMPLETE_VARIABLE).source()
