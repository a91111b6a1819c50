"""The options that say when and how a job fires, for the commands that make a job and those that change one."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Json
from cli.verbs import (
    Function,
    command_option,
    env_option,
    label_option,
    length_option,
    lock_option,
    publish_option,
    retries_option,
    run_timeout_option,
    runtime_variables_option,
    tool_retries_option,
)

_KEYS = {
    "time_of_day": "timeOfDay",
    "zone": "zone",
    "jitter_seconds": "jitterSeconds",
    "misfire": "misfire",
    "max_age_seconds": "maxAgeSeconds",
    "catch_up_limit": "catchUpLimit",
    "overlap": "overlap",
    "description": "description",
}
_TIMING = (
    click.option("--at", "time_of_day", metavar="HH:MM", help="Time of day of daily, weekly and monthly."),
    click.option("--zone", help="Time zone, as in Europe/Zurich."),
    length_option("--jitter", "jitter_seconds", "Fire later by less than this, always by the same."),
)
_POLICIES = (
    click.option(
        "--misfire", type=click.Choice(["last", "all", "none"]), help="Which missed instants are made up for."
    ),
    length_option("--max-age", "max_age_seconds", "Make up for no instant that is older."),
    click.option(
        "--catch-up",
        "catch_up_limit",
        type=click.IntRange(min=1),
        help="With --misfire all: make up for so many instants at most, the newest.",
    ),
    click.option(
        "--overlap", type=click.Choice(["skip", "queue", "replace"]), help="If the run before is not over yet."
    ),
    click.option("--description", help="Why the job is there."),
)


_PARAMETERS = (
    command_option,
    env_option,
    publish_option,
    run_timeout_option,
    retries_option,
    tool_retries_option,
    label_option,
    lock_option,
    runtime_variables_option,
)


def timing_options(function: Function) -> Function:
    """Add the options that say when a job is due."""
    return _with(_TIMING, function)


def job_options(function: Function) -> Function:
    """Add every option of a job: when it is due, its policies, and what its runs do differently."""
    return timing_options(_with((*_POLICIES, *_PARAMETERS), function))


def job_values(options: dict[str, Any]) -> Json:
    """Take when a job is due and its policies out of ``options``, and give what was used as keys of a body."""
    values = {key: options.pop(name, None) for name, key in _KEYS.items()}
    return {key: value for key, value in values.items() if value is not None}


def _with(options: tuple[Any, ...], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
