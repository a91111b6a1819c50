"""A run's passport as JSON. Everywhere, null says that it is not known, or that there is none."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas.base import CamelKeys, CamelSchema
from app.api.schemas.run_changes import AttemptSchema
from app.api.schemas.runs import STATUSES
from app.models.run import Cause, PushState, QuarantineState

FORMS = ["json", "ro-crate"]


class PassportQuery(ma.Schema):
    """In which form."""

    format = fields.String(
        load_default=FORMS[0],
        validate=validate.OneOf(FORMS),
        metadata={"description": "`ro-crate` gives JSON-LD by RO-Crate 1.1, profile Process Run Crate 0.5."},
    )


def _names() -> fields.Field[Any]:
    return fields.List(fields.String(), allow_none=True)


class ToolPart(CamelSchema):
    """What ran."""

    name = fields.String(metadata={"example": "visitors"})
    entry = fields.Dict(
        allow_none=True, metadata={"description": "The registry's entry as it was; of its variables the names."}
    )
    definition_commit = fields.String(allow_none=True)


class PlacePart(CamelSchema):
    """Where it ran, and under what."""

    node = fields.String(allow_none=True)
    operator = fields.String(allow_none=True)
    version = fields.String(allow_none=True, metadata={"description": "Of the product that started it."})
    backend = fields.String()
    engine_version = fields.String(allow_none=True)


class ImagePart(CamelSchema):
    """With which image."""

    name = fields.String(allow_none=True, metadata={"description": "As it was asked for; its tag may have moved."})
    digest = fields.String(
        allow_none=True, metadata={"description": "Resolved before the start, and started by what it named."}
    )
    id = fields.String(allow_none=True, metadata={"description": "The node's own id of that image."})


class StartPart(CamelSchema):
    """With what it was started; of its variables and secrets the names."""

    attempt = fields.Integer(allow_none=True)
    command = _names()
    env = _names()
    files = fields.List(
        fields.Dict(), allow_none=True, metadata={"description": "Each with `name`, `sha256` and `sizeBytes`."}
    )
    secrets = _names()
    limits = fields.Dict(allow_none=True, metadata={"description": "`memoryMb`, `cpus`, `pids` and `timeoutSeconds`."})
    profile = fields.String()
    network = fields.String(allow_none=True)
    user = fields.String(allow_none=True)
    locks = fields.List(fields.String())


class InputPart(CamelSchema):
    """Which data it found."""

    dataset = fields.String(allow_none=True)
    url = fields.String(allow_none=True)
    branch = fields.String(allow_none=True, metadata={"description": "Null: the remote's default."})
    commit = fields.String(allow_none=True)
    commit_tree = fields.String(allow_none=True, metadata={"description": "Git's id of what the commit holds."})
    tree = fields.String(allow_none=True, metadata={"description": "Git's id of what the tool found."})
    is_uncommitted = fields.Boolean(
        allow_none=True,
        metadata={"description": "The tool found other files than those of the commit; those that git ignores aside."},
    )
    has_ignored_files = fields.Boolean(
        allow_none=True,
        metadata={"description": "The tool found files that git ignores; a replay begins without them."},
    )


class ResultPart(CamelSchema):
    """What became of its data."""

    publish = fields.String(allow_none=True)
    commit = fields.String(allow_none=True)
    original_commit = fields.String(
        allow_none=True, metadata={"description": "The commit before a push made another one of it."}
    )
    tree = fields.String(allow_none=True)
    push_state = fields.String(allow_none=True, metadata={"enum": [*(str(word) for word in PushState), None]})
    push_message = fields.String(allow_none=True)


class QuarantinePart(CamelSchema):
    """That its data were kept out, and what was decided."""

    state = fields.String(metadata={"enum": [str(word) for word in QuarantineState]})
    commit = fields.String(allow_none=True)
    decided_by = fields.String(allow_none=True)
    decided_time = fields.AwareDateTime(allow_none=True)


class DetectorPart(CamelSchema):
    """How its control metric was judged."""

    method = fields.String(allow_none=True)
    parameters = fields.Dict(allow_none=True)
    rule_version = fields.Integer(allow_none=True)
    version = fields.String(allow_none=True, metadata={"description": "Of the product that judged it."})
    verdict = CamelKeys()


class OutputPart(CamelSchema):
    """What it printed, as it is stored."""

    size_bytes = fields.Integer(allow_none=True)
    sha256 = fields.String(allow_none=True)
    is_cut = fields.Boolean(allow_none=True, metadata={"description": "It printed more than was kept."})
    removed_time = fields.AwareDateTime(allow_none=True)


class PassportSchema(CamelSchema):
    """Everything that makes a run's data traceable."""

    run_id = fields.Integer(metadata={"example": 12})
    parent_id = fields.Integer(allow_none=True)
    replay_of = fields.Integer(allow_none=True)
    status = fields.String(metadata={"enum": STATUSES})
    cause = fields.String(allow_none=True, metadata={"enum": [*(str(cause) for cause in Cause), None]})
    message = fields.String(allow_none=True)
    exit_code = fields.Integer(allow_none=True)
    warnings = fields.List(fields.String())
    description = fields.String()
    labels = fields.Dict(keys=fields.String(), values=fields.String())
    submitter = fields.String()
    owner = fields.String()
    job_id = fields.String(allow_none=True)
    due_time = fields.AwareDateTime(allow_none=True)
    defined_time = fields.AwareDateTime()
    submission_time = fields.AwareDateTime(allow_none=True)
    start_time = fields.AwareDateTime(allow_none=True)
    end_time = fields.AwareDateTime(allow_none=True)
    tool = fields.Nested(ToolPart)
    place = fields.Nested(PlacePart)
    image = fields.Nested(ImagePart)
    started_with = fields.Nested(StartPart)
    input = fields.Nested(InputPart)
    result = fields.Nested(ResultPart)
    quarantine = fields.Nested(QuarantinePart, allow_none=True)
    detector = fields.Nested(DetectorPart, allow_none=True)
    metrics = fields.Dict(keys=fields.String(), values=fields.Float())
    attempts = fields.List(fields.Nested(AttemptSchema), metadata={"description": "Those before the last one."})
    output = fields.Nested(OutputPart)
