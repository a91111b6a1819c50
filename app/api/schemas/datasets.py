"""Data sets and their local clones as JSON."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields

from app.api.context import importdir
from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, obeys, page_schema
from app.models.clone import CloneState
from app.models.dataset import History
from app.models.names import NAME_PATTERN
from app.services.tool_rules import RULES

EXAMPLE: dict[str, Any] = {"name": "helm-charts", "url": "https://git.example.org/data/helm-charts.git"}
HISTORIES = [str(word) for word in History]
STATES = [str(state) for state in CloneState]


class DatasetChange(ma.Schema):
    """What a data set's entry says."""

    name = fields.String(
        metadata={
            "description": "May be left out here; the address names the data set.",
            **limits.NAME,
            "pattern": f"^{NAME_PATTERN}$",
        }
    )
    url = fields.String(required=True, metadata={"description": "Its git remote, without credentials.", **limits.LINE})
    description = fields.String(metadata={"description": "For people.", **limits.PROSE})
    hub = fields.String(metadata={"description": "The subject that it is about.", **limits.NAME, "example": "helmhub"})
    branch = fields.String(metadata={"description": "Empty: the remote's own default.", "maxLength": 200})
    key = fields.List(
        limits.line(),
        validate=obeys(RULES["key"]),
        metadata={"description": "The columns by which its rows are told apart; none: whole rows.", **limits.COLUMNS},
    )
    history = fields.String(
        validate=obeys(RULES["history"]),
        metadata={"description": "How much of the remote's past a clone holds.", "enum": HISTORIES},
    )


class NewDataset(DatasetChange):
    """A data set to be registered."""

    name = fields.String(
        required=True, metadata={"description": "Its name.", **limits.NAME, "pattern": f"^{NAME_PATTERN}$"}
    )


class DatasetEntry(NewDataset):
    """A registered data set."""

    owner = fields.String(metadata={"description": "The node that registered it.", "example": "node-a"})


class CloneSchema(CamelSchema):
    """A data set's clone on this node, or the wish for one."""

    name = fields.String()
    url = fields.String()
    branch = fields.String(allow_none=True)
    commit = fields.String(
        allow_none=True, metadata={"description": "The commit that a retrieved snapshot shows; null: a clone."}
    )
    state = fields.String(metadata={"enum": STATES})
    progress_percent = fields.Integer()
    message = fields.String()
    head_commit = fields.String(allow_none=True)
    size_bytes = fields.Integer(allow_none=True)
    path = fields.Function(lambda clone: str(importdir() / clone.name), metadata={"type": "string"})
    updated_time = fields.AwareDateTime(attribute="updated_at")


class RemovalQuery(ma.Schema):
    """How to remove a clone."""

    force = fields.Boolean(
        load_default=False, metadata={"description": "Also where it holds uncommitted or unpushed data."}
    )


DatasetPage = page_schema(DatasetEntry, "DatasetPage")
ClonePage = page_schema(CloneSchema, "ClonePage")
