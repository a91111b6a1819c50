"""Ask a person at a terminal: a line of text, or one of several things."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from cli.terminal import clean_line

SHOWN = 20
"""So many choices are shown at once; what is typed narrows them down."""


class StepLeft(Exception):
    """The user does not want to go on with this."""


@dataclass(frozen=True)
class Choice:
    """Something to choose: ``value`` is what comes of it, ``text`` what is shown."""

    value: str
    text: str


def plain(values: Iterable[str]) -> list[Choice]:
    """Make choices that are shown as they are."""
    return [Choice(value, value) for value in values]


def is_somebody_there() -> bool:
    """Tell whether a person can be asked: standard input and output are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def ask(question: str, default: str = "") -> str:
    """Ask for a line of text; an empty answer gives ``default``.

    Raises:
        StepLeft: Ctrl-C.
        EOFError: Ctrl-D, or the input is over.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.errors != "backslashreplace":
        # Whatever is typed is text, also what the terminal's encoding does not know.
        sys.stdin.reconfigure(errors="backslashreplace")
    try:
        return input(clean_line(shown) + " ").strip() or default
    except KeyboardInterrupt:
        click.echo(err=True)
        raise StepLeft from None


def ask_needed(question: str) -> str:
    """Ask for a line of text until there is one; raises as ``ask`` does."""
    while not (answer := ask(question)):
        click.echo("This cannot be empty; Ctrl-C leaves.", err=True)
    return answer


def confirm(question: str) -> bool:
    """Ask a question that is answered by yes or no; Enter is no. Raises as ``ask`` does."""
    return ask(f"{question} (y/N)").lower() in ("y", "yes")


def choose(question: str, choices: Sequence[Choice]) -> str:
    """Let the user choose and give the value; Enter takes the first.

    A number takes the choice that has it, ``q`` leaves, and anything else narrows the list down to what holds it. What
    is all of a choice's value takes that one.

    Raises:
        StepLeft: ``q`` or Ctrl-C.
        EOFError: Ctrl-D, or the input is over.
    """
    left = list(choices)
    while True:
        _show(left)
        answer = ask(f"{question} (Enter: {left[0].value}, q: leave)")
        if answer.lower() == "q":
            raise StepLeft
        if not answer:
            return left[0].value
        exact = [choice.value for choice in choices if choice.value == answer]
        if exact or (numbered := _numbered(left, answer)):
            return exact[0] if exact else str(numbered)
        found = [choice for choice in choices if answer.lower() in choice.text.lower()]
        if len(found) == 1:
            return found[0].value
        if not found:
            click.echo(f"Nothing there holds '{clean_line(answer)}'.", err=True)
        left = found or list(choices)


def _numbered(choices: Sequence[Choice], answer: str) -> str | None:
    number = int(answer) if answer.isascii() and answer.isdecimal() and len(answer) < len("1000000") else 0
    return choices[number - 1].value if 0 < number <= len(choices) else None


def _show(choices: Sequence[Choice]) -> None:
    for number, choice in enumerate(choices[:SHOWN], 1):
        click.echo(f"  {number:>2}  {clean_line(choice.text)}", err=True)
    if len(choices) > SHOWN:
        click.echo(f"      ... and {len(choices) - SHOWN} more; type a part of the name", err=True)
