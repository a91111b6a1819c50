"""The index of snapshots as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, obeys, page_schema
from app.models.names import NAME_PATTERN
from app.services.tool_rules import RULES


class HubSchema(CamelSchema):
    """A subject that snapshots are about."""

    hub = fields.String(metadata={"example": "dockerhub"})


class DateSchema(CamelSchema):
    """A day of which there are snapshots."""

    date = fields.String(metadata={"example": "2026-03-01"})


class SnapshotPlace(CamelSchema):
    """Where a snapshot is."""

    operator = fields.String(metadata={"description": "Whose node collected it.", "example": "panos"})
    dataset = fields.String(metadata={"example": "helm-charts"})
    url = fields.String(metadata={"description": "The git remote that holds it."})
    commit = fields.String(metadata={"description": "The commit that is the snapshot."})
    run_id = fields.Integer(metadata={"description": "The run's number at the operator's node."})


class Retrieval(ma.Schema):
    """What the clone of a snapshot is called."""

    name = fields.String(
        validate=obeys(RULES["name"]),
        metadata={
            "description": "Left out: after the data set and the day.",
            **limits.NAME,
            "pattern": f"^{NAME_PATTERN}$",
            "example": "helm-charts-spring",
        },
    )


HubPage = page_schema(HubSchema, "HubPage")
DatePage = page_schema(DateSchema, "DatePage")
SnapshotPlacePage = page_schema(SnapshotPlace, "SnapshotPlacePage")
