"""``maoctl job``: what is run when, and what became of each due instant."""

from __future__ import annotations

import click

from cli.client import Json
from cli.session import Session
from cli.times import parse_instant, show_instant
from cli.verbs import job_argument, limit_option, noun, verb

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


@verb(job, "pause", "job pause spike --reason 'the source is being repaired'")
@job_argument
@click.option("--reason", default="", help="Why; shown with each instant that passes.")
def pause(session: Session, job_id: str, reason: str) -> None:
    """Stop a job from firing until it is resumed."""
    session.printer.message(f"Job '{job_id}' is paused.", session.server.pause_job(job_id, reason))


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
