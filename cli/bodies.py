"""Build the bodies of requests from what the user typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cli.client import Json
from cli.errors import WrongUse
from cli.times import parse_instant, parse_past

SCHEDULE_WORDS = ("daily", "weekly", "monthly")


def given(values: Json) -> Json:
    """Leave out what the user did not give, so that the server's own values hold."""
    return {key: value for key, value in values.items() if value not in (None, "", (), {})}


def columns_of(texts: Sequence[str]) -> list[str] | None:
    """Give the columns that are named, divided by commas or one after the other; None where there is none."""
    return [column for text in texts for column in text.split(",") if column] or None


def run_parameters(
    command: Sequence[str],
    env: dict[str, str],
    publish: str | None,
    run_timeout_seconds: int | None,
    retries: int | None = None,
    tool_retries: int | None = None,
    labels: dict[str, str] | None = None,
    locks: Sequence[str] = (),
    runtime_variables: bool = False,
    command_name: str | None = None,
) -> Json:
    """Build what a run may do differently from the tool's entry, and how often it is tried again.

    With ``command_name`` the words of ``command`` are what that command is given.
    """
    words = list(command) or None
    return given(
        {
            "command": None if command_name else words,
            "commandName": command_name,
            "arguments": words if command_name else None,
            "env": env,
            "publish": publish,
            "timeoutSeconds": run_timeout_seconds,
            "infrastructureRetries": retries,
            "toolRetries": tool_retries,
            "labels": labels,
            "locks": list(locks) or None,
            "runtimeVariables": runtime_variables or None,
        }
    )


def changed_parameters(old: Json, new: Json) -> Json:
    """Give ``old`` with ``new`` in its place; a command of one sort replaces one of the other."""
    replaced = {"command", "commandName", "arguments"} if new.keys() & {"command", "commandName"} else set()
    return {key: value for key, value in old.items() if key not in replaced} | new


def search(
    *,
    tool: str | None,
    owner: str | None,
    job: str | None,
    states: Sequence[str],
    submitter: str | None,
    labels: dict[str, str],
    text: str | None,
    since: str | None,
    until: str | None,
    digest: str | None,
    input_commit: str | None,
    output_commit: str | None,
    quarantine: str | None,
) -> Json:
    """Build what runs are searched by; ``since`` and ``until`` are instants, or lengths of time before now.

    Raises:
        WrongUse: one of them is neither.
    """
    return given(
        {
            "tool": tool,
            "owner": owner,
            "jobId": job,
            "states": list(states) or None,
            "submitter": submitter,
            "labels": labels,
            "text": text,
            "definedFrom": parse_past(since, "--since") if since else None,
            "definedTo": parse_past(until, "--until") if until else None,
            "imageDigest": digest,
            "inputCommit": input_commit,
            "outputCommit": output_commit,
            "quarantineState": quarantine,
        }
    )


def parse_metrics(text: str | None) -> Json | None:
    """Read the value of ``--metrics``.

    Raises:
        WrongUse: it is not a JSON object.
    """
    if text is None:
        return None
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise WrongUse(f"The value of --metrics is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise WrongUse("The value of --metrics must be a JSON object.")
    return value


def schedule(when: str) -> Json:
    """Build the trigger of a job from a word, crontab text or an instant.

    Raises:
        WrongUse: it has the form of none of them.
    """
    if parse_instant(when):
        return {"at": when}
    if when in SCHEDULE_WORDS or len(when.split()) == 5:
        return {"schedule": when}
    raise WrongUse(
        f"'{when}' is not a schedule.",
        hint="It is daily, weekly, monthly, an instant with a zone (2027-01-01T00:00Z), or the five fields of a "
        "crontab line, quoted as one argument: '30 3 * * *'.",
    )
