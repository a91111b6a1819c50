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
    """Let the user choose as ``pick`` does, and give the value; Enter takes the first.

    Raises:
        StepLeft: ``q`` or Ctrl-C.
        EOFError: Ctrl-D, or the input is over.
    """
    chosen = pick(f"{question} (Enter: {choices[0].value}, q: leave)", choices, choices[0].value)
    if chosen is None:
        raise StepLeft
    return chosen


def pick(question: str, choices: Sequence[Choice], default: str | None = None) -> str | None:
    """Let the user choose and give the value, None for ``q``; Enter takes the default where there is one.

    A number takes the choice that has it, and the whole of a value takes that one. Anything else narrows the list down
    to what holds it; where that is one, it is taken.

    Raises:
        StepLeft: Ctrl-C.
        EOFError: Ctrl-D, or the input is over.
    """
    left = list(choices)
    # Values that are numbers, as those of runs, are what is typed; places in a list would only be mistaken for them.
    has_places = not all(choice.value.isdecimal() for choice in choices)
    while True:
        _show(left, has_places)
        answer = ask(question).lower()
        if answer == "q":
            return None
        if not answer and default is not None:
            # What was narrowed down begins with another choice.
            return default if len(left) == len(choices) else left[0].value
        taken = _exact(choices, answer) or (_numbered(left, answer) if has_places else None)
        if taken is not None:
            return taken
        found = [choice for choice in choices if answer in choice.text.lower()]
        if len(found) == 1:
            return found[0].value
        if not found:
            click.echo(f"Nothing there holds '{clean_line(answer)}'.", err=True)
        left = found or list(choices)


def _exact(choices: Sequence[Choice], answer: str) -> str | None:
    return next((choice.value for choice in choices if choice.value.lower() == answer), None)


def _numbered(choices: Sequence[Choice], answer: str) -> str | None:
    number = int(answer) if answer.isascii() and answer.isdecimal() and len(answer) < len("1000000") else 0
    return choices[number - 1].value if 0 < number <= len(choices) else None


def _show(choices: Sequence[Choice], has_places: bool) -> None:
    for number, choice in enumerate(choices[:SHOWN], 1):
        place = f"{number:>2}  " if has_places else ""
        click.echo(f"  {place}{clean_line(choice.text)}", err=True)
    if len(choices) > SHOWN:
        click.echo(f"      ... and {len(choices) - SHOWN} more; type a part of the name", err=True)
