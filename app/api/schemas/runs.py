"""Runs as JSON: what is submitted, what is shown, and how they are searched and read."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import url_for
from marshmallow import fields, validate

from app.api.pages import position
from app.api.schemas import limits
from app.api.schemas.base import (
    CamelKeys,
    CamelSchema,
    Cursor,
    Flag,
    QueryInteger,
    Whole,
    obeys,
    page_schema,
    page_size,
    searched,
)
from app.models.run import Cause, PushState, QuarantineState, Run, RunStatus
from app.models.tool import Profile, Publish
from app.services.tool_rules import RULES

WAIT_SECONDS_MOST = 60
MOST_BYTES = 2**53
"""More than any output has; a number that JavaScript still reads exactly."""
STATUSES = [str(status) for status in RunStatus]


class Parameters(CamelSchema):
    """What a run or a job sets in place of its tool's entry."""

    command = fields.List(
        limits.argument(),
        validate=obeys(RULES["command"]),
        metadata={"description": "In place of the tool's own command.", **limits.COMMAND},
    )
    command_name = fields.String(
        validate=obeys(RULES["command_name"]),
        metadata={"description": "A command of an installed definition tool.", **limits.NAME, "example": "count"},
    )
    arguments = fields.List(
        limits.argument(),
        validate=obeys(RULES["arguments"]),
        metadata={"description": "What that command is given.", **limits.COMMAND},
    )
    env = fields.Dict(
        keys=fields.String(),
        values=limits.argument(),
        validate=obeys(RULES["env"]),
        metadata={"description": "Added to the tool's.", **limits.ENV},
    )
    publish = fields.String(validate=obeys(RULES["publish"]), metadata={"enum": [str(word) for word in Publish]})
    timeout_seconds = Whole(
        validate=obeys(RULES["timeout_seconds"]),
        metadata={"description": "Seconds that the run may take.", **limits.DURATION, "example": 3600},
    )
    infrastructure_retries = Whole(
        validate=obeys(RULES["infrastructure_retries"]),
        metadata={
            "description": "Further attempts after failures that are not the tool's.",
            **limits.REPEATED,
            "example": 3,
        },
    )
    tool_retries = Whole(
        validate=obeys(RULES["tool_retries"]),
        metadata={
            "description": "Further attempts after failures of the tool itself.",
            **limits.REPEATED,
            "example": 0,
        },
    )


class Wishes(Parameters):
    """The same, with what a new run has beside its tool's entry."""

    labels = fields.Dict(
        keys=fields.String(),
        values=limits.line(),
        validate=obeys(RULES["labels"]),
        metadata={
            "description": "Added to the entry's. They choose the backend, and runs are searched by them.",
            **limits.LABELS,
        },
    )
    locks = fields.List(
        limits.name(),
        validate=obeys(RULES["locks"]),
        metadata={"description": "Locks that the run holds beside those of the entry.", **limits.HELD},
    )
    runtime_variables = Flag(
        attribute="has_runtime_variables",
        metadata={"description": "Replace %%SUBMITTER%%, %%WEBHOOKID%% and %%RUNID%% in command and env."},
    )


class NewToolRun(Wishes):
    """How to run a tool now; every key may be left out."""

    description = fields.String(
        load_default="", validate=obeys(RULES["description"]), metadata={"description": "For people.", **limits.PROSE}
    )
    manual_start = Flag(
        attribute="is_manual_start", metadata={"description": "Wait until somebody starts it; files can be uploaded."}
    )


class JobSpec(NewToolRun):
    """What to run."""

    tool = fields.String(required=True, validate=validate.Length(max=limits.NAME_LENGTH), metadata={"example": "spike"})


class NewRun(CamelSchema):
    """A run to be submitted."""

    job_spec = fields.Nested(JobSpec, required=True)


class Submitted(CamelSchema):
    """The number of a run that was accepted."""

    run_id = fields.Integer(required=True, metadata={"example": 1})


class RunSchema(CamelSchema):
    """A run as it is now."""

    id = fields.Integer(metadata={"example": 1})
    parent_id = fields.Integer(allow_none=True)
    tool = fields.String(metadata={"example": "spike"})
    job_id = fields.String(allow_none=True)
    due_time = fields.AwareDateTime(attribute="due_at", allow_none=True)
    status = fields.String(metadata={"enum": STATUSES})
    cause = fields.String(allow_none=True, metadata={"enum": [*(str(cause) for cause in Cause), None]})
    message = fields.String(allow_none=True)
    waiting_for = fields.String(allow_none=True)
    description = fields.String()
    submitter = fields.String()
    owner = fields.String()
    backend = fields.String(metadata={"example": "docker"})
    labels = fields.Dict(keys=fields.String(), values=fields.String())
    parameters = fields.Nested(Parameters)
    identification_keys = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "By which its backend knows it."}
    )
    profile = fields.String(metadata={"enum": [str(word) for word in Profile]})
    node = fields.String(allow_none=True)
    attempt = fields.Integer()
    infrastructure_failures = fields.Integer()
    tool_failures = fields.Integer()
    is_manual_start = fields.Boolean()
    locks = fields.List(fields.String())
    lock_token = fields.Integer(allow_none=True, metadata={"description": "The fencing token of its locks."})
    defined_time = fields.AwareDateTime(attribute="defined_at")
    not_before_time = fields.AwareDateTime(
        attribute="not_before", allow_none=True, metadata={"description": "It begins no sooner."}
    )
    submission_time = fields.AwareDateTime(attribute="submitted_at", allow_none=True)
    start_time = fields.AwareDateTime(attribute="started_at", allow_none=True)
    end_time = fields.AwareDateTime(attribute="ended_at", allow_none=True)
    output_removed_time = fields.AwareDateTime(attribute="output_removed_at", allow_none=True)
    files_removed_time = fields.AwareDateTime(attribute="files_removed_at", allow_none=True)
    exit_code = fields.Integer(allow_none=True)
    image_digest = fields.String(allow_none=True)
    input_commit = fields.String(allow_none=True)
    output_commit = fields.String(allow_none=True)
    definition_commit = fields.String(
        allow_none=True, metadata={"description": "The commit of its tool's installed definition."}
    )
    replay_of = fields.Integer(allow_none=True, metadata={"description": "The run that this one repeats."})
    push_state = fields.String(allow_none=True, metadata={"enum": [*(str(word) for word in PushState), None]})
    push_message = fields.String(allow_none=True)
    quarantine_state = fields.String(
        allow_none=True, metadata={"enum": [*(str(word) for word in QuarantineState), None]}
    )
    quarantine_commit = fields.String(
        allow_none=True, metadata={"description": "Holds the files that were kept out of the data."}
    )
    quarantine_message = fields.String(allow_none=True)
    metrics = fields.Dict(
        keys=fields.String(), values=fields.Float(), metadata={"description": "What was measured of it, by name."}
    )
    warnings = fields.List(fields.String())
    spike = CamelKeys(allow_none=True)
    links = fields.Method("_links", metadata={"type": "object", "description": "Where to read on."})

    def _links(self, run: Run) -> dict[str, str]:
        # Building an address takes as long as all else of a run does, so what lies below the run's own is put together.
        own = url_for("runs.get_run", run_id=run.id)
        below = {"output": "output.txt", "events": "events", "report": "report"}
        links = {word: f"{own}/{place}" for word, place in below.items()}
        return {"self": own, **links, "tool": url_for("tools.get_tool", name=run.tool)}


class EventSchema(CamelSchema):
    """One change of a run's state."""

    time = fields.AwareDateTime(attribute="at")
    from_status = fields.String(allow_none=True)
    to_status = fields.String()
    actor = fields.String()
    cause = fields.String(allow_none=True)


class EventList(ma.Schema):
    """A run's changes of state, oldest first; a run has few, so there is one page."""

    items = fields.List(fields.Nested(EventSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class ReportSchema(ma.Schema):
    """A final run's report."""

    run_id = fields.Integer(data_key="runId")
    status = fields.String(metadata={"enum": STATUSES})
    verdict = fields.String(allow_none=True, metadata={"description": "What the spike detector found; null: nothing."})
    text = fields.String(metadata={"description": "The report as `maoctl tool run` prints it."})
    spike = CamelKeys(allow_none=True)

    class Meta:
        """There is more in a report than is described here."""

        unknown = ma.INCLUDE

    @ma.post_dump(pass_original=True)
    def _add_the_rest(self, shown: dict[str, Any], stored: dict[str, Any], **_: Any) -> dict[str, Any]:
        # The report was made when the run ended, perhaps by an older version: nothing of it is left out.
        return {**stored, **shown}


class RunQuery(ma.Schema):
    """Which runs."""

    tool = searched()
    status = searched(metadata={"enum": STATUSES})
    owner = searched()
    job = searched(attribute="job_id")
    limit = page_size()
    cursor = Cursor(position, load_default=None)


class StopQuery(ma.Schema):
    """How to stop a run."""

    force = fields.Boolean(load_default=False, metadata={"description": "Kill it at once."})


class WaitQuery(ma.Schema):
    """How long to wait."""

    timeout = QueryInteger(
        load_default=30,
        validate=validate.Range(0, WAIT_SECONDS_MOST),
        metadata={"description": "Seconds after which the run is shown, final or not."},
    )


class OutputQuery(ma.Schema):
    """Which part of the output."""

    offset = QueryInteger(
        validate=validate.Range(0, MOST_BYTES), metadata={"description": "The number of the first byte."}
    )
    tail = QueryInteger(validate=validate.Range(0, 100_000), metadata={"description": "So many lines at the end."})
    limit = QueryInteger(validate=validate.Range(1, MOST_BYTES), metadata={"description": "At most so many bytes."})
    follow = fields.Boolean(
        metadata={"description": "Go on as output comes, as server-sent events (`text/event-stream`)."}
    )

    @ma.validates_schema
    def _check_one_place(self, data: dict[str, Any], **_: Any) -> None:
        if "offset" in data and "tail" in data:
            raise ma.ValidationError("Give offset or tail, not both.", "tail")
        if "limit" in data and data.get("follow"):
            raise ma.ValidationError("What is followed has no limit.", "limit")


RunPage = page_schema(RunSchema, "RunPage")
