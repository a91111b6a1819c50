"""``maoctl tool run``: run a tool now."""

from __future__ import annotations

from typing import Any

import click

from cli.attending import attend
from cli.bodies import given
from cli.commands.tool import tool
from cli.definition_commands import parameters_for
from cli.exits import Exit
from cli.session import Session
from cli.verbs import (
    command_argument,
    command_option,
    env_option,
    fail_on_spike_option,
    key_option,
    label_option,
    live_option,
    lock_option,
    name_argument,
    publish_option,
    retries_option,
    run_timeout_option,
    runtime_variables_option,
    tool_retries_option,
    verb,
    wait_option,
)


@verb(
    tool,
    "run",
    "tool run spike",
    "tool run spike --fail-on-spike -o json",
    "tool run spike --detach -- python crawl.py --full",
    "tool run spike --manual --label season=autumn --lock site",
    "tool run visitors --command count -- 2026 7",
)
@name_argument
@command_argument
@command_option
@env_option
@publish_option
@click.option("--description", help="Why this run is made.")
@run_timeout_option
@retries_option
@tool_retries_option
@label_option
@lock_option
@click.option("--manual", is_flag=True, help="Print the run's id and let it wait for `maoctl run start`.")
@runtime_variables_option
@key_option
@click.option("--detach", is_flag=True, help="Print the run's id and do not wait.")
@wait_option
@live_option
@fail_on_spike_option
def run(
    session: Session,
    name: str,
    description: str | None,
    manual: bool,
    key: str | None,
    detach: bool,
    timeout_seconds: int | None,
    live: bool,
    fail_on_spike: bool,
    **parameters: Any,
) -> Exit:
    """Run a tool now, wait for the end and print the report.

    What follows '--' is a command in place of the tool's own. Of an installed definition tool it is what the command
    is given that --command names; the only command needs no name.

    Stdout holds the report alone; progress and output are shown on stderr. Ctrl-C ends the waiting, not the run.
    Exit status: 0 the run succeeded, 5 it failed or was stopped, 6 it shows a spike (with --fail-on-spike), 7 its
    end is in doubt, 8 it is not over after --timeout.
    """
    wishes = given({"manualStart": manual or None, "description": description})
    run_id = session.server.run_tool(name, parameters_for(session.server, name, **parameters) | wishes, key)
    if detach or manual:
        session.printer.message(str(run_id), {"runId": run_id})
        return Exit.DONE
    session.note(f"Run {run_id} of tool '{name}' is submitted.")
    return attend(session, run_id, timeout_seconds=timeout_seconds, live=live, fail_on_spike=fail_on_spike)
