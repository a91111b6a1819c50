"""``maoctl run``: what ran, what it printed, what came of it."""

from __future__ import annotations

import sys
from typing import Any

import click

from cli.attending import attend
from cli.bodies import search
from cli.errors import WrongUse
from cli.exits import Exit
from cli.output import Json
from cli.session import Session
from cli.streaming import collect_output, stream_output
from cli.verbs import (
    digits_option,
    fail_on_spike_option,
    limit_option,
    live_option,
    noun,
    pairs_option,
    run_argument,
    verb,
    wait_option,
)

run = noun("run", "Look at runs, wait for them, stop them. `maoctl tool run` makes them.")

COLUMNS = {
    "id": "RUN",
    "tool": "TOOL",
    "status": "STATUS",
    "cause": "CAUSE",
    "waitingFor": "WAITING FOR",
    "jobId": "JOB",
    "submissionTime": "SUBMITTED",
    "endTime": "ENDED",
}
QUARANTINE_STATES = ("held", "promoting", "promoted", "discarding", "discarded")
EVENT_COLUMNS = {"time": "TIME", "fromStatus": "FROM", "toStatus": "TO", "actor": "ACTOR", "cause": "CAUSE"}


ATTEMPT_COLUMNS = {
    "number": "ATTEMPT",
    "cause": "CAUSE",
    "exitCode": "EXIT",
    "startTime": "STARTED",
    "endTime": "ENDED",
    "message": "MESSAGE",
}


@verb(
    run,
    "list",
    "run list --tool spike --status FAILED",
    "run list --since 7d --state FAILED --state IN_DOUBT --label team=archive",
    "run list --output-commit 9d97b71",
    "run list --quarantine held",
    "run list --limit 1000 -o csv",
)
@click.option("--tool", help="Only runs of this tool.")
@click.option("--status", type=str.upper, help="Only runs in this state, as in RUNNING.")
@click.option("--owner", help="Only runs of this owner.")
@click.option("--job", help="Only runs that this job fired.")
@click.option("--state", "states", type=str.upper, multiple=True, help="Only runs in one of these states. Repeatable.")
@click.option("--submitter", help="Only runs that this token asked for.")
@pairs_option("--label", "labels", "Only runs with this label.")
@click.option("--text", help="Only runs with these words in their description; the last may be a beginning.")
@click.option("--since", metavar="WHEN", help="Only runs since this instant, or in so long a time (7d).")
@click.option("--until", metavar="WHEN", help="Only runs before this instant, or older than so long.")
@digits_option("--image", "--digest", "digest", text="Only runs with the image of this digest.")
@digits_option("--input-commit", text="Only runs that found the data of this commit.")
@digits_option(
    "--output-commit", "--commit", "output_commit", text="Only the run whose data this commit holds, or held once."
)
@click.option(
    "--quarantine",
    type=click.Choice(QUARANTINE_STATES),
    help="Only runs whose files were kept out of the data; held ones await a decision.",
)
@limit_option
def list_runs(
    session: Session, limit: int, tool: str | None, status: str | None, owner: str | None, job: str | None, **more: Any
) -> None:
    """List runs, the newest first.

    Of the options, all that are given must hold. From --state on, they need a token that may search. Of a digest or
    commit the first 7 digits are enough.
    """
    if not any(more.values()):
        listing = session.server.list_runs(limit, tool=tool, status=status, owner=owner, job=job)
    else:
        states = [*more.pop("states"), *([status] if status else [])]
        listing = session.server.search_runs(limit, search(tool=tool, owner=owner, job=job, states=states, **more))
    session.print_listing(listing, COLUMNS)


@verb(run, "get", "run get 12", "run get 12 --report", "run get 12 --events -o json", "run get 12 --attempts")
@run_argument
@click.option("--report", is_flag=True, help="Show the report of a run that is over.")
@click.option("--events", is_flag=True, help="Show each change of state.")
@click.option("--attempts", is_flag=True, help="Show the attempts before the present one.")
@limit_option
def get(session: Session, run_id: int, report: bool, events: bool, attempts: bool, limit: int) -> None:
    """Show a run, its report, its changes of state or its attempts."""
    if report + events + attempts > 1:
        raise WrongUse("--report, --events and --attempts cannot be given together.")
    if report:
        session.print_report(session.server.get_report(run_id))
    elif attempts:
        session.print_listing(session.server.list_attempts(run_id), ATTEMPT_COLUMNS)
    elif events:
        session.print_listing(session.server.list_events(run_id, limit), EVENT_COLUMNS)
    else:
        found = session.server.get_run(run_id)
        session.printer.item(_for_people(found) if session.is_for_people else found)


def _for_people(found: Json) -> Json:
    """Give a run with its verdict in words; programs get all of its figures."""
    verdict = found.get("spike") or {}
    words = [verdict[key] for key in ("status", "sentence") if verdict.get(key)]
    return {**found, "spike": ": ".join(words)}


@verb(run, "output", "run output 12 > output.txt", "run output 12 --tail 20 --follow")
@run_argument
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Begin at this byte.")
@click.option("--tail", type=click.IntRange(min=1), help="Begin with the last so many lines.")
@click.option("--follow", is_flag=True, help="Go on until the run is over.")
def output(session: Session, run_id: int, offset: int, tail: int | None, follow: bool) -> None:
    """Print what a run has printed.

    A file or pipe gets exactly the tool's bytes; on a terminal, control characters are left out.
    """
    if tail is not None and offset:
        raise WrongUse("--tail and --offset cannot be given together.")
    if session.is_for_people:
        stream_output(session.server, run_id, sys.stdout, offset=offset, tail=tail, follow=follow)
    else:
        session.printer.item(collect_output(session.server, run_id, offset=offset, tail=tail, follow=follow))


@verb(run, "wait", "run wait 12 --timeout 1h")
@run_argument
@wait_option
@live_option
@fail_on_spike_option
def wait(session: Session, run_id: int, timeout_seconds: int | None, live: bool, fail_on_spike: bool) -> Exit:
    """Wait until a run is over and print its report; the exit statuses are those of `maoctl tool run`."""
    # Asked at once and for itself, because the waiting is patient with a server that does not answer.
    session.server.get_run(run_id)
    return attend(session, run_id, timeout_seconds=timeout_seconds, live=live, fail_on_spike=fail_on_spike)


@verb(run, "stop", "run stop 12", "run stop 12 --force")
@run_argument
@click.option("--force", is_flag=True, help="Kill it without a time of grace.")
def stop(session: Session, run_id: int, force: bool) -> None:
    """Ask for the end of a run. `maoctl run wait` tells when it has come."""
    state = session.server.stop_run(run_id, force=force)
    session.printer.message(f"The end of run {run_id} is requested; it is {state.get('status')} now.", state)
