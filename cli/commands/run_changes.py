"""``maoctl run start|retry|resolve|refresh``: what people do to runs that exist already."""

from __future__ import annotations

from typing import Any

import click

from cli.attending import attend
from cli.bodies import given, run_parameters
from cli.commands.run import run
from cli.exits import Exit
from cli.session import Session
from cli.verbs import (
    command_argument,
    env_option,
    fail_on_spike_option,
    key_option,
    live_option,
    publish_option,
    retries_option,
    run_argument,
    run_timeout_option,
    tool_retries_option,
    verb,
    wait_option,
)


@verb(run, "start", "run start 12")
@run_argument
def start(session: Session, run_id: int) -> None:
    """Start a run that was made with `maoctl tool run --manual`."""
    state = session.server.start_run(run_id)
    session.printer.message(f"Run {run_id} is started; it is {state.get('status')} now.", state)


@verb(run, "retry", "run retry 12", "run retry 12 --follow --run-timeout 2h")
@run_argument
@command_argument
@env_option
@publish_option
@click.option("--description", help="Why this run is made; else that of the run before.")
@run_timeout_option
@retries_option
@tool_retries_option
@key_option
@click.option("--follow", is_flag=True, help="Wait for the end and print the report, as `maoctl tool run` does.")
@wait_option
@live_option
@fail_on_spike_option
def retry(
    session: Session,
    run_id: int,
    description: str | None,
    key: str | None,
    follow: bool,
    timeout_seconds: int | None,
    live: bool,
    fail_on_spike: bool,
    **parameters: Any,
) -> Exit:
    """Submit a run that is over again, as a new run, and print the new run's id.

    It has the same tool, parameters, labels and locks; what is given here stands in place of the old. The tool's entry
    is read anew. With --follow the exit statuses are those of `maoctl tool run`.
    """
    body = given({"parameters": run_parameters(**parameters), "description": description})
    made = session.server.resubmit_run(run_id, body, key)
    if not follow:
        session.printer.message(str(made), {"runId": made})
        return Exit.DONE
    session.note(f"Run {made} is submitted in place of run {run_id}.")
    return attend(session, made, timeout_seconds=timeout_seconds, live=live, fail_on_spike=fail_on_spike)


@verb(run, "resolve", "run resolve 12 --status FAILED --reason 'the file of that day is cut short'")
@run_argument
@click.option(
    "--status",
    required=True,
    type=click.Choice(["SUCCEEDED", "FAILED", "ABORTED"], case_sensitive=False),
    help="How it went.",
)
@click.option("--reason", required=True, help="Why that is known; kept with the run.")
def resolve(session: Session, run_id: int, status: str, reason: str) -> None:
    """Say how a run went that is IN_DOUBT. Its files stay where they are."""
    state = session.server.resolve_run(run_id, {"status": status, "reason": reason})
    session.printer.message(f"Run {run_id} is {state.get('status')} now.", state)


@verb(run, "refresh", "run refresh 12")
@run_argument
def refresh(session: Session, run_id: int) -> None:
    """Ask the agent to look at a run and its backend now, and show the run as it is before that."""
    state = session.server.refresh_run(run_id)
    session.printer.message(f"The agent is asked to look at run {run_id}; it is {state.get('status')} now.", state)
