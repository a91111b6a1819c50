"""``maoctl tool schedule|stop|list-scheduled``: run a tool again and again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from cli.bodies import given, schedule
from cli.client import Json
from cli.commands.job import COLUMNS, next_firing
from cli.commands.tool import tool
from cli.definition_commands import parameters_for
from cli.errors import Refused
from cli.exits import is_final
from cli.job_options import job_options, job_values
from cli.session import Session
from cli.verbs import (
    command_argument,
    limit_option,
    name_argument,
    verb,
)

NEWEST_RUNS = 100
JOBS_LOOKED_AT = 500


@verb(
    tool,
    "schedule",
    "tool schedule spike daily --at 03:30 --zone Europe/Zurich",
    "tool schedule spike '*/15 * * * *' --id spike-often --overlap skip",
    "tool schedule spike 2027-01-01T00:00Z",
)
@name_argument
@click.argument("when", metavar="{daily,weekly,monthly,CRONTAB}")
@command_argument
@job_options
@click.option("--id", "job_id", help="The job's id; else the tool's name.")
def schedule_tool(session: Session, name: str, when: str, job_id: str | None, **options: Any) -> None:
    """Schedule a tool; a job that has this id already is changed.

    The time is a word, the five fields of a crontab line quoted as one argument, or one instant with a zone.
    The time of day is 00:00, and the zone UTC, unless others are given. What follows '--' is as for `tool run`.
    """
    due = schedule(when)
    values = job_values(options) | {"id": job_id, "parameters": parameters_for(session.server, name, **options)}
    job, is_new = session.server.put_job({"tool": name, **due, **given(values)})
    session.printer.message(f"Job '{job.get('id')}' is {'new' if is_new else 'changed'}; {next_firing(job)}.", job)


@verb(tool, "stop", "tool stop spike")
@name_argument
def stop(session: Session, name: str) -> None:
    """Remove the job that has this name. A run that is under way goes on, and is shown."""
    try:
        session.server.remove_job(name)
    except Refused as error:
        going_on = _unfinished(session, name) if error.status == HTTPStatus.NOT_FOUND else []
        error.hint = _how_to_stop(going_on) or error.hint
        raise
    going_on = _unfinished(session, name)
    result = {"job": name, "isRemoved": True, "unfinishedRuns": [run.get("id") for run in going_on]}
    session.printer.message(f"Job '{name}' is removed. {_how_to_stop(going_on)}", result)
    if others := [job_id for job_id in jobs_of(session, name) if job_id != name]:
        session.note(f"Tool '{name}' is still run by: {', '.join(others)}. End them with `maoctl job remove JOB`.")


def _unfinished(session: Session, tool_name: str) -> list[Json]:
    runs = session.server.list_runs(NEWEST_RUNS, tool=tool_name).items
    return [run for run in runs if not is_final(str(run.get("status")))]


def _how_to_stop(runs: list[Json]) -> str:
    return " ".join(
        f"Run {run.get('id')} goes on ({run.get('status')}); stop it with `maoctl run stop {run.get('id')}`."
        for run in runs
    )


def jobs_of(session: Session, tool_name: str) -> list[str]:
    """Give the ids of the jobs that run a tool."""
    jobs = session.server.list_jobs(JOBS_LOOKED_AT, internal=False).items
    return [str(job.get("id")) for job in jobs if job.get("tool") == tool_name]


@verb(tool, "list-scheduled", "tool list-scheduled", "tool list-scheduled -o csv")
@limit_option
def list_scheduled(session: Session, limit: int) -> None:
    """List the jobs with their next firing, the server's own (mao.*) included."""
    session.print_listing(session.server.list_jobs(limit, internal=True), COLUMNS)
