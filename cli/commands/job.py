"""``maoctl job``: what is run when, and what became of each due instant."""

from __future__ import annotations

from typing import Any

import click

from cli.bodies import changed_parameters, given, run_parameters, schedule
from cli.client import Json
from cli.errors import WrongUse
from cli.job_options import job_options, job_values, timing_options
from cli.pages import items_of
from cli.session import Session
from cli.times import LENGTH_RULE, parse_deadline, parse_instant, show_instant
from cli.verbs import (
    command_argument,
    job_argument,
    limit_option,
    noun,
    verb,
)

job = noun("job", "Look after schedules. `maoctl tool schedule` makes them.")

COLUMNS = {
    "id": "JOB",
    "tool": "TOOL",
    "schedule": "SCHEDULE",
    "zone": "ZONE",
    "nextRunTime": "NEXT RUN",
    "pausedTime": "PAUSED SINCE",
    "lastRunId": "LAST RUN",
}
PREVIEW_COLUMNS = {"dueTime": "DUE", "localTime": "LOCAL", "fireTime": "FIRES", "isPaused": "PAUSED"}
FIRING_COLUMNS = {"dueTime": "DUE", "outcome": "OUTCOME", "runId": "RUN", "reason": "REASON"}


def next_firing(values: Json) -> str:
    """Say when a job fires next."""
    at = parse_instant(str(values.get("nextRunTime")))
    return f"its next run is due at {show_instant(at)}" if at else "no further run is due"


@verb(job, "get", "job get", "job get spike -o json")
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--internal", is_flag=True, help="List the server's own jobs (mao.*) too.")
@limit_option
def get(session: Session, job_id: str | None, internal: bool, limit: int) -> None:
    """List the jobs, or show one."""
    if job_id is None:
        session.print_listing(session.server.list_jobs(limit, internal=internal), COLUMNS)
    else:
        session.printer.item(session.server.get_job(job_id))


@verb(
    job,
    "edit",
    "job edit spike --at 04:00 --zone Europe/Zurich",
    "job edit spike --schedule '*/15 * * * *' --overlap queue",
    "job edit spike --jitter 10m",
)
@job_argument
@command_argument
@click.option("--schedule", "when", metavar="{daily,weekly,monthly,CRONTAB}", help="When it is due; also an instant.")
@click.option("--tool", help="Run another tool.")
@job_options
def edit(session: Session, job_id: str, when: str | None, tool: str | None, **options: Any) -> None:
    """Change only what is given of a job. Where the schedule stays, so does its next instant.

    A command, an environment, a way to publish or a time limit replaces what the job has of it; the rest stays.
    """
    body = {**job_values(options), **given({"tool": tool}), **(schedule(when) if when else {})}
    if parameters := run_parameters(**options):
        body["parameters"] = changed_parameters(session.server.get_job(job_id).get("parameters", {}), parameters)
    if not body:
        raise WrongUse("Nothing to change was given.", hint="`maoctl job edit --help` lists what can be changed.")
    values = session.server.change_job(job_id, body)
    session.printer.message(f"Job '{job_id}' is changed; {next_firing(values)}.", values)


@verb(
    job,
    "preview",
    "job preview spike --count 3",
    "job preview --schedule daily --at 02:30 --zone Europe/Zurich",
)
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--schedule", "when", metavar="{daily,weekly,monthly,CRONTAB}", help="Try this in place of a job.")
@timing_options
@click.option("--count", type=click.IntRange(1, 100), default=10, show_default=True, help="So many instants at most.")
def preview(session: Session, job_id: str | None, when: str | None, count: int, **options: Any) -> None:
    """Show when a job is due next, or when a schedule would be due, and when it fires for that."""
    timing = job_values(options)
    if (job_id is None) == (when is None) or (job_id and timing):
        raise WrongUse("Name either a job or a --schedule; the other options go with the latter.")
    if job_id is not None:
        found = session.server.preview_job(job_id, count)
    else:
        found = session.server.preview_schedule({**schedule(str(when)), **timing}, count)
    items = [_for_people(item) for item in items_of(found)] if session.is_for_people else items_of(found)
    session.printer.items(items, PREVIEW_COLUMNS)


@verb(job, "why", "job why spike --at 2026-11-22T02:30", "job why spike --at 2026-11-22T00:30Z -o json")
@job_argument
@click.option("--at", required=True, metavar="TIME", help="With a zone, else by the clock of the job's zone.")
def why(session: Session, job_id: str, at: str) -> None:
    """Tell why a job ran, or did not run, at a time."""
    values = session.server.explain_job(job_id, at)
    session.printer.message(str(values.get("answer", "")), values)


@verb(
    job, "pause", "job pause spike --reason 'the source is being repaired'", "job pause spike --until 2026-12-01T00:00Z"
)
@job_argument
@click.option("--reason", default="", help="Why; shown with each instant that passes.")
@click.option("--until", metavar="TIME", help=f"Resume by itself then: an instant with a zone, or {LENGTH_RULE}.")
def pause(session: Session, job_id: str, reason: str, until: str | None) -> None:
    """Stop a job from firing until it is resumed, or until a time."""
    end = parse_deadline(until, "--until") if until else None
    values = session.server.pause_job(job_id, {"reason": reason, **given({"until": end})})
    at = parse_instant(str(values.get("pausedUntil")))
    session.printer.message(f"Job '{job_id}' is paused{f' until {show_instant(at)}' if at else ''}.", values)


@verb(job, "resume", "job resume spike")
@job_argument
def resume(session: Session, job_id: str) -> None:
    """Let a paused job fire again."""
    values = session.server.resume_job(job_id)
    session.printer.message(f"Job '{job_id}' is resumed; {next_firing(values)}.", values)


@verb(job, "remove", "job remove spike")
@job_argument
def remove(session: Session, job_id: str) -> None:
    """Remove a job. A run that is under way goes on."""
    session.server.remove_job(job_id)
    session.printer.message(f"Job '{job_id}' is removed.", {"job": job_id, "isRemoved": True})


@verb(job, "firings", "job firings spike --limit 10")
@job_argument
@limit_option
def firings(session: Session, job_id: str, limit: int) -> None:
    """Show what became of each due instant of a job, and why."""
    session.print_listing(session.server.list_firings(job_id, limit), FIRING_COLUMNS)


def _for_people(item: Json) -> Json:
    """Show the local time as such; other instants of a table are shown in UTC."""
    at = parse_instant(str(item.get("localTime")))
    return {**item, "localTime": f"{at:%a %Y-%m-%d %H:%M} ({at.isoformat()[-6:]})"} if at else item
