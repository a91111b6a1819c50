"""Incidents, and decisions about metrics, as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.api.pages import number
from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, Cursor, Instant, Whole, obeys, page_schema, page_size, searched
from app.models.metric import DecisionKind, IncidentEnd, IncidentKind
from app.services.tool_rules import line

LARGEST_NUMBER = 2**63 - 1
MOST_LABELS = 100
WHY_EXAMPLE = "The crawler covers a new region since March."


class IncidentQuery(ma.Schema):
    """Which incidents, newest first."""

    tool = searched(metadata={"description": "Those of one tool."})
    kind = fields.String(load_default=None, validate=validate.OneOf(list(IncidentKind)))
    is_open = fields.Boolean(
        data_key="open", load_default=None, metadata={"description": "`true`: open ones only; `false`: those over."}
    )
    limit = page_size()
    cursor = Cursor(number, load_default=None)


class IncidentSchema(CamelSchema):
    """A time in which a tool's data looked wrong, or in which it was not heard of."""

    id = fields.Integer(metadata={"example": 12})
    tool = fields.String(metadata={"example": "spike"})
    kind = fields.String(validate=validate.OneOf(list(IncidentKind)))
    status = fields.String(metadata={"description": "The worst that was found.", "example": "drop"})
    metrics = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"example": {"control": "drop"}})
    summary = fields.String(
        metadata={"description": "The sentence of the worst.", "example": "control: 412 where 890 to 930 was expected."}
    )
    runs = fields.Integer(metadata={"description": "How many runs were anomalous.", "example": 2})
    opened_at = fields.AwareDateTime()
    first_run = fields.Integer(allow_none=True)
    opened_by_run = fields.Integer(allow_none=True)
    last_run = fields.Integer(allow_none=True)
    told_at = fields.AwareDateTime(allow_none=True, metadata={"description": "Null while nobody was told: muted."})
    closed_at = fields.AwareDateTime(allow_none=True)
    closed_by_run = fields.Integer(allow_none=True)
    closed_because = fields.String(allow_none=True, validate=validate.OneOf(list(IncidentEnd)))


IncidentPage = page_schema(IncidentSchema, "IncidentPage")


class DecisionQuery(ma.Schema):
    """Which page of the decisions, newest first."""

    limit = page_size()
    cursor = Cursor(number, load_default=None)


class Undoing(CamelSchema):
    """Why a decision is taken back."""

    why = fields.String(
        required=True, validate=[validate.Length(min=1), obeys(line)], metadata={**limits.LINE, "example": "mistaken"}
    )


class NewDecision(CamelSchema):
    """What is decided about a tool's numbers, and why."""

    kind = fields.String(required=True, validate=validate.OneOf(list(DecisionKind)))
    why = fields.String(
        required=True, validate=[validate.Length(min=1), obeys(line)], metadata={**limits.LINE, "example": WHY_EXAMPLE}
    )
    metric = fields.String(
        load_default=None,
        validate=obeys(line),
        metadata={**limits.LINE, "description": "One metric; else all.", "example": "control"},
    )
    run_id = Whole(
        load_default=None,
        validate=validate.Range(1, LARGEST_NUMBER),
        metadata={"description": "The points of this run.", "example": None},
    )
    since = Whole(
        load_default=None,
        validate=validate.Range(1, LARGEST_NUMBER),
        metadata={"description": "The points of this run and of all later ones.", "example": None},
    )
    points = fields.List(
        fields.String(validate=[validate.Length(min=1), obeys(line)], metadata=limits.LINE),
        load_default=None,
        validate=validate.Length(1, MOST_LABELS),
        metadata={"description": "The points of `metric` with these labels, imported ones too.", "example": None},
    )
    until = Instant(load_default=None, metadata={"description": "For a mute: when it ends.", "example": None})


class DecidedPointSchema(CamelSchema):
    """A point that a decision is about."""

    id = fields.Integer(attribute="point.id")
    clone = fields.String(attribute="point.clone")
    metric = fields.String(attribute="point.metric", metadata={"example": "control"})
    label = fields.String(attribute="point.label", metadata={"example": "control-2026-11-22.csv"})
    run_id = fields.Integer(attribute="point.run_id", allow_none=True)
    value = fields.Float(attribute="point.value", allow_none=True, metadata={"example": 412})
    before = fields.String(metadata={"description": "Its standing before the decision.", "example": "flagged"})
    after = fields.String(metadata={"description": "The standing that the decision gave it.", "example": "level"})
    standing = fields.String(
        attribute="point.standing", metadata={"description": "Its standing now.", "example": "level"}
    )


class DecisionSchema(CamelSchema):
    """A decision with its points."""

    id = fields.Integer(attribute="decision.id")
    tool = fields.String(attribute="decision.tool", metadata={"example": "spike"})
    kind = fields.String(attribute="decision.kind", validate=validate.OneOf(list(DecisionKind)))
    metric = fields.String(attribute="decision.metric", allow_none=True)
    until = fields.AwareDateTime(attribute="decision.until", allow_none=True)
    actor = fields.String(attribute="decision.actor", metadata={"example": "root"})
    why = fields.String(attribute="decision.why", metadata={"example": WHY_EXAMPLE})
    decided_at = fields.AwareDateTime(attribute="decision.decided_at")
    undone_by = fields.String(attribute="decision.undone_by", allow_none=True)
    undone_why = fields.String(attribute="decision.undone_why", allow_none=True)
    undone_at = fields.AwareDateTime(attribute="decision.undone_at", allow_none=True)
    points = fields.List(fields.Nested(DecidedPointSchema))


DecisionPage = page_schema(DecisionSchema, "DecisionPage")
