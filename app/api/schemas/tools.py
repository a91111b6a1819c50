"""Tools as JSON: the keys are those stored in the registry."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields

from app.api.schemas import limits
from app.api.schemas.base import Number, Whole, page_schema
from app.models.names import NAME_PATTERN
from app.models.tool import OnSpike, Profile, Publish
from app.services.tool_rules import CPUS, IMAGE_LENGTH, MEMORY_MB, PIDS

EXAMPLE: dict[str, Any] = {
    "name": "spike",
    "author": "panos",
    "image": "panosece/spike:latest",
    "data_repo": "https://git.example.org/data/spike.git",
    "code_repo": "https://git.example.org/code/spike",
    "artefact": "https://zenodo.example.org/record/1",
}


def _text(about: str, **metadata: Any) -> fields.String:
    return fields.String(metadata={"description": about, **metadata})


class ToolChange(ma.Schema):
    """What a tool's entry says; each optional key has the node's own value as its default."""

    name = _text("May be left out here; the address names the tool.", **limits.NAME, pattern=f"^{NAME_PATTERN}$")
    author = fields.String(required=True, metadata={"description": "Who wrote it.", **limits.LINE})
    image = fields.String(required=True, metadata={"description": "The container image.", "maxLength": IMAGE_LENGTH})
    data_repo = fields.String(
        required=True,
        metadata={
            "description": "A git URL, the name of a registered data set, or empty: the tool keeps no data.",
            **limits.LINE,
        },
    )
    code_repo = fields.String(required=True, metadata={"description": "Where its code is.", **limits.LINE})
    artefact = fields.String(required=True, metadata={"description": "What else belongs to it.", **limits.LINE})
    description = _text("For people.", **limits.PROSE)
    hub = _text("The subject that its data is about.", **limits.NAME, example="dockerhub")
    network = _text("'none' cuts the tool off the network.", enum=["", "none"])
    user = _text("User, or user and group, by number.", maxLength=21, example="1000:1000")
    memory_mb = Whole(allow_none=True, metadata={"description": "MiB of memory.", **limits.between(*MEMORY_MB)})
    cpus = Number(allow_none=True, metadata={"description": "Processors; more than 0.", **limits.between(0, CPUS)})
    pids = Whole(allow_none=True, metadata={"description": "Processes.", **limits.between(*PIDS)})
    timeout_seconds = Whole(
        allow_none=True, metadata={"description": "Seconds that a run may take.", **limits.DURATION}
    )
    command = fields.List(
        limits.argument(), metadata={"description": "In place of the image's own command.", **limits.COMMAND}
    )
    env = fields.Dict(
        keys=fields.String(), values=limits.argument(), metadata={"description": "Its environment.", **limits.ENV}
    )
    publish = _text("What becomes of a good run's files.", enum=[str(word) for word in Publish])
    on_spike = _text("What a spike does to the run.", enum=[str(word) for word in OnSpike])
    metrics = fields.Dict(
        keys=fields.String(), metadata={"description": "How its control metric is judged.", **limits.JUDGED}
    )
    labels = fields.Dict(
        keys=fields.String(), values=limits.line(), metadata={"description": "Choose the backend.", **limits.LABELS}
    )
    locks = fields.List(limits.name(), metadata={"description": "Locks that a run holds.", **limits.HELD})
    profile = _text("How its container is confined.", enum=[str(word) for word in Profile])


class NewTool(ToolChange):
    """A tool to be registered."""

    name = fields.String(
        required=True, metadata={"description": "Its name.", **limits.NAME, "pattern": f"^{NAME_PATTERN}$"}
    )


class ToolEntry(NewTool):
    """A registered tool."""

    owner = _text("The node that registered it.", example="node-a")


ToolPage = page_schema(ToolEntry, "ToolPage")
