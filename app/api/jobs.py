"""Jobs: what runs when, and what became of each due instant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page
from app.api.schemas.base import NoBody
from app.api.schemas.job_answers import AnswerSchema, PreviewCount, PreviewSchema, Unstored, WhyQuery
from app.api.schemas.jobs import (
    FiringPage,
    FiringQuery,
    JobChange,
    JobPage,
    JobQuery,
    JobSchema,
    JobView,
    NewJob,
    Pause,
)
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("jobs", __name__, url_prefix="/api/jobs", description="Schedules.")
READERS = (
    Permission.JOB_SCHEDULE,
    Permission.JOB_SCHEDULE_ANY,
    Permission.JOB_RUN_READ,
    Permission.JOB_RUN_READ_ANY,
)
SCHEDULERS = (Permission.JOB_SCHEDULE, Permission.JOB_SCHEDULE_ANY)
EXAMPLE = {"tool": "spike", "schedule": "daily", "timeOfDay": "02:30", "zone": "Europe/Athens"}


@blueprint.route("")
@requires(*READERS)
@blueprint.arguments(JobQuery, location="query")
@blueprint.response(200, JobPage)
def list_jobs(query: dict[str, Any]) -> Any:
    """List the jobs, in the order of their ids.

    With `internal=true` the product's own jobs follow on the last page.
    """
    found = page(_views, query["cursor"], query["limit"], key=lambda view: view.id)
    if query["internal"] and found["next"] is None:
        found["items"] += [_internal(name, tick) for name, tick in sorted(services().jobs.internal().items())]
    return found


@blueprint.route("", methods=["POST"])
@requires(*SCHEDULERS, changes=Changes.POSTGRES)
@blueprint.arguments(NewJob, example=EXAMPLE)
@blueprint.response(201, JobSchema)
@blueprint.alt_response(200, schema=JobSchema, description="The job with that id was changed.", success=True)
@blueprint.alt_response(404, "NOT_FOUND")
def schedule_job(values: dict[str, Any]) -> Any:
    """Schedule a job; where its id is known, that job is changed."""
    job, is_new = services().jobs.schedule(identity(), values)
    location = {"Location": url_for("jobs.get_job", job_id=job.id)}
    return JobView(*services().jobs.get(identity(), job.id)), 201 if is_new else 200, location


@blueprint.route("/<job_id>")
@requires(*READERS)
@blueprint.response(200, JobSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_job(job_id: str) -> Any:
    """Show a job."""
    return JobView(*services().jobs.get(identity(), job_id))


@blueprint.route("/<job_id>", methods=["PATCH"])
@requires(*SCHEDULERS, changes=Changes.POSTGRES)
@blueprint.arguments(JobChange, example={"zone": "Europe/Athens", "jitterSeconds": 600})
@blueprint.response(200, JobSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def change_job(values: dict[str, Any], job_id: str) -> Any:
    """Change only what the body names. Where the schedule stays, so does the next instant."""
    services().jobs.change(identity(), job_id, values)
    return JobView(*services().jobs.get(identity(), job_id))


@blueprint.route("/preview", methods=["POST"])
@requires(*READERS, changes=Changes.NOTHING)
@blueprint.arguments(PreviewCount, location="query")
@blueprint.arguments(Unstored, example={"schedule": "daily", "timeOfDay": "02:30", "zone": "Europe/Athens"})
@blueprint.response(200, PreviewSchema)
def preview_schedule(query: dict[str, Any], values: dict[str, Any]) -> Any:
    """Show when a schedule would be due, without storing anything."""
    return services().jobs.preview_unstored(values, query["count"])


@blueprint.route("/<job_id>/preview")
@requires(*READERS)
@blueprint.arguments(PreviewCount, location="query")
@blueprint.response(200, PreviewSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def preview_job(query: dict[str, Any], job_id: str) -> Any:
    """Show when a job is due next, in UTC and by the clock of its zone, and when it fires."""
    return services().jobs.preview(identity(), job_id, query["count"])


@blueprint.route("/<job_id>/why")
@requires(*READERS)
@blueprint.arguments(WhyQuery, location="query")
@blueprint.response(200, AnswerSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def explain_job(query: dict[str, Any], job_id: str) -> Any:
    """Tell why a job ran, or did not run, at an instant."""
    return services().jobs.why(identity(), job_id, query["at"])


@blueprint.route("/<job_id>", methods=["DELETE"])
@requires(*SCHEDULERS, changes=Changes.POSTGRES)
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def remove_job(job_id: str) -> None:
    """Remove a job; its runs and firings stay."""
    services().jobs.remove(identity(), job_id)


@blueprint.route("/<job_id>/pause", methods=["POST"])
@requires(*SCHEDULERS, changes=Changes.POSTGRES)
@blueprint.arguments(Pause, required=False)
@blueprint.response(200, JobSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def pause_job(values: dict[str, Any], job_id: str) -> Any:
    """Pause a job, perhaps until an instant; each instant that passes is recorded with the reason."""
    services().jobs.pause(identity(), job_id, values["reason"], values["until"])
    return JobView(*services().jobs.get(identity(), job_id))


@blueprint.route("/<job_id>/resume", methods=["POST"])
@requires(*SCHEDULERS, changes=Changes.POSTGRES)
@blueprint.arguments(NoBody, required=False)
@blueprint.response(200, JobSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def resume_job(_: dict[str, Any], job_id: str) -> Any:
    """Let a paused job fire again."""
    services().jobs.resume(identity(), job_id)
    return JobView(*services().jobs.get(identity(), job_id))


@blueprint.route("/<job_id>/firings")
@requires(*READERS)
@blueprint.arguments(FiringQuery, location="query")
@blueprint.response(200, FiringPage)
@blueprint.alt_response(404, "NOT_FOUND")
def list_firings(query: dict[str, Any], job_id: str) -> Any:
    """List what became of a job's due instants, newest first."""
    return page(
        lambda after, limit: services().jobs.firings(identity(), job_id, after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda firing: firing.due_at,
    )


def _views(after: str, limit: int) -> list[JobView]:
    return [JobView(*known) for known in services().jobs.list(identity(), after=after, limit=limit)]


def _internal(name: str, tick: dict[str, Any]) -> JobView:
    """Show a job of the product's own like any other; it has no tool and no runs."""
    last = datetime.fromisoformat(tick["lastTime"]) if tick.get("lastTime") else None
    every = tick.get("everySeconds")
    job = {
        "id": name,
        "tool": "",
        "trigger": f"every {every:g} seconds" if every else "when a job is due",
        "is_once": False,
        "zone": "UTC",
        "parameters": {},
        "description": "",
        "owner": "mao",
        "submitter": "mao",
        "updated_at": last,
        "next_run_at": last + timedelta(seconds=every) if last and every else None,
    }
    return JobView(job)
