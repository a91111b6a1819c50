"""Tools as JSON: the keys are those stored in the registry."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields

from app.api.schemas.base import Number, Whole, page_schema
from app.models.names import NAME_PATTERN
from app.models.tool import OnSpike, Profile, Publish

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

    name = _text("May be left out here; the address names the tool.", pattern=f"^{NAME_PATTERN}$")
    author = fields.String(required=True, metadata={"description": "Who wrote it."})
    image = fields.String(required=True, metadata={"description": "The container image."})
    data_repo = fields.String(
        required=True,
        metadata={"description": "A git URL, the name of a registered data set, or empty: the tool keeps no data."},
    )
    code_repo = fields.String(required=True, metadata={"description": "Where its code is."})
    artefact = fields.String(required=True, metadata={"description": "What else belongs to it."})
    description = _text("For people.")
    hub = _text("The subject that its data is about.", example="dockerhub")
    network = _text("'none' cuts the tool off the network.", enum=["", "none"])
    user = _text("User, or user and group, by number.", example="1000:1000")
    memory_mb = Whole(allow_none=True, metadata={"description": "MiB of memory."})
    cpus = Number(allow_none=True, metadata={"description": "Processors."})
    pids = Whole(allow_none=True, metadata={"description": "Processes."})
    timeout_seconds = Whole(allow_none=True, metadata={"description": "Seconds that a run may take."})
    command = fields.List(fields.String(), metadata={"description": "In place of the image's own command."})
    env = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": "Its environment."})
    publish = _text("What becomes of a good run's files.", enum=[str(word) for word in Publish])
    on_spike = _text("What a spike does to the run.", enum=[str(word) for word in OnSpike])
    metrics = fields.Dict(keys=fields.String(), metadata={"description": "How its control metric is judged."})
    labels = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": "Choose the backend."})
    locks = fields.List(fields.String(), metadata={"description": "Locks that a run holds."})
    profile = _text("How its container is confined.", enum=[str(word) for word in Profile])


class NewTool(ToolChange):
    """A tool to be registered."""

    name = fields.String(required=True, metadata={"description": "Its name.", "pattern": f"^{NAME_PATTERN}$"})


class ToolEntry(NewTool):
    """A registered tool."""

    owner = _text("The node that registered it.", example="node-a")


ToolPage = page_schema(ToolEntry, "ToolPage")
