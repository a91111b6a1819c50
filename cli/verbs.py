"""How commands are declared: each has ``-o``, an example in its help, and lists have ``--limit``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from cli.errors import WrongUse
from cli.output import Format
from cli.times import LENGTH_RULE, parse_length

Function = Callable[..., Any]
_DIGITS = re.compile(r"([^ ]*@)?(sha256:)?[0-9A-Fa-f]{7,64}")


def noun(name: str, text: str) -> click.Group:
    """Make the group that holds a noun's verbs."""
    return click.Group(name, help=text)


def verb(group: click.Group, name: str, *examples: str) -> Callable[[Function], click.Command]:
    """Declare a function as the command ``name``. It gets the session first, and may return an exit status."""
    heading = "Example:" if len(examples) == 1 else "Examples:"
    # The marker keeps click from filling the lines of the examples into one paragraph.
    epilog = "\n".join(("\b", heading, *(f"  maoctl {example}" for example in examples)))

    def declare(function: Function) -> click.Command:
        return group.command(name, epilog=epilog)(_output_option(click.pass_obj(function)))

    return declare


def _output_option(function: Function) -> Function:
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice([form.value for form in Format]),
        default=Format.TABLE.value,
        show_default=True,
        expose_value=False,
        callback=_choose_format,
        help="How the result is printed.",
    )(function)


def _choose_format(context: click.Context, _parameter: click.Parameter, value: str) -> None:
    context.obj.printer.form = Format(value)


def _read_length(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    return None if value is None else parse_length(value, parameter.opts[-1])


def _read_pairs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        key, separator, rest = value.partition("=")
        if not (key and separator):
            raise click.BadParameter(f"'{value}' is not of the form K=V.")
        pairs[key] = rest
    return pairs


def _read_digits(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _DIGITS.fullmatch(value):
        raise WrongUse(
            f"'{value}' for {parameter.opts[0]} is not a commit or digest; "
            "it takes hexadecimal digits, at least the first 7."
        )
    return value


def digits_option(*names: str, text: str) -> Callable[[Function], Function]:
    """Make an option that takes a commit or digest, or its first digits."""
    return click.option(*names, metavar="DIGITS", callback=_read_digits, help=text)


def length_option(name: str, variable: str, text: str) -> Callable[[Function], Function]:
    """Make an option that takes a length of time and gives seconds, or None."""
    return click.option(name, variable, metavar="LENGTH", callback=_read_length, help=f"{text} Takes {LENGTH_RULE}.")


def pairs_option(name: str, variable: str, text: str) -> Callable[[Function], Function]:
    """Make an option K=V that can be repeated and gives a dictionary."""
    return click.option(name, variable, metavar="K=V", multiple=True, callback=_read_pairs, help=f"{text} Repeatable.")


limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Show at most so many."
)
name_argument = click.argument("name")
run_argument = click.argument("run_id", metavar="RUN", type=click.IntRange(min=1))
job_argument = click.argument("job_id", metavar="JOB")
command_argument = click.argument("command", metavar="[-- COMMAND ARG...]", nargs=-1, type=click.UNPROCESSED)
command_option = click.option(
    "--command",
    "command_name",
    metavar="COMMAND",
    help="Run this command of an installed definition tool; what follows '--' is what it is given.",
)
publish_option = click.option(
    "--publish", type=click.Choice(["none", "commit", "push"]), help="What becomes of a good run's files."
)
env_option = pairs_option("--env", "env", "Set a variable of the tool's environment.")
run_timeout_option = length_option("--run-timeout", "run_timeout_seconds", "End the run after so long.")
retries_option = click.option(
    "--retries", type=click.IntRange(0, 10), help="Try again so often after failures that are not the tool's."
)
tool_retries_option = click.option(
    "--tool-retries", type=click.IntRange(0, 10), help="Try again so often after failures of the tool itself."
)
label_option = pairs_option("--label", "labels", "Choose a backend, or mark the run.")
lock_option = click.option(
    "--lock", "locks", multiple=True, help="Hold this lock beside those of the tool's entry. Repeatable."
)
runtime_variables_option = click.option(
    "--runtime-variables", is_flag=True, help="Replace %%SUBMITTER%%, %%WEBHOOKID%% and %%RUNID%% in command and --env."
)
key_option = click.option(
    "--idempotency-key",
    "key",
    metavar="KEY",
    help="Make no second run where this was sent with the same KEY before; else a fresh one is used.",
)
live_option = click.option(
    "--live", is_flag=True, help="Show the tool's output on stderr also where that is not a terminal."
)
fail_on_spike_option = click.option(
    "--fail-on-spike", is_flag=True, help="Exit with status 6 when the data are anomalous."
)
wait_option = length_option(
    "--timeout", "timeout_seconds", "Wait at most so long (exit status 8); what is waited for goes on."
)
