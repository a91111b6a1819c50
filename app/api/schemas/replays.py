"""Verifications of runs as JSON."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas.base import CamelSchema, QueryInteger
from app.api.schemas.runs import MOST_BYTES

ROWS = "Which rows and cells of a file differ from those that the run wrote,"
DIFFERENCES = ["added", "changed", "missing"]


class VerificationQuery(ma.Schema):
    """Which replay to compare with."""

    replay = QueryInteger(
        load_default=None,
        validate=validate.Range(1, MOST_BYTES),
        metadata={"description": "A replay of the run that succeeded; the newest one where it is left out."},
    )


class TamperingSchema(CamelSchema):
    """A file that is not in the data any more as the run wrote it."""

    path = fields.String()
    is_missing = fields.Boolean()
    is_uncommitted = fields.Boolean(metadata={"description": "It was changed in the data directory alone."})
    commit = fields.String(metadata={"description": "The newest commit that changed it; empty: none."})
    run = fields.String(metadata={"description": "The run that this commit names; empty: none."})
    node = fields.String(metadata={"description": "The node that this commit names; empty: none."})
    is_recorded = fields.Boolean(
        metadata={"description": "A run of this node is on record with the commit; else anybody may have named it."}
    )


class DifferenceSchema(ma.Schema):
    """A file that a replay made differently."""

    path = fields.String()
    change = fields.String(metadata={"enum": DIFFERENCES})


class VerificationSchema(CamelSchema):
    """What became of the files that a run wrote."""

    run_id = fields.Integer(metadata={"example": 17})
    replay_id = fields.Integer(allow_none=True)
    is_identical = fields.Boolean(allow_none=True, metadata={"description": "null: there was nothing to compare."})
    summary = fields.String()
    written = fields.Integer(metadata={"description": "How many files it wrote; the first 200 are looked at."})
    changed = fields.List(fields.Nested(TamperingSchema))
    damaged = fields.List(fields.String(), metadata={"description": "Files whose bytes git has lost."})
    too_large = fields.List(fields.String(), metadata={"description": "Files whose bytes were not read."})
    replayed = fields.List(
        fields.Nested(DifferenceSchema), allow_none=True, metadata={"description": "null: nothing was replayed."}
    )
    changed_rows = fields.List(fields.Dict(), metadata={"description": f"{ROWS} now."})
    replayed_rows = fields.List(fields.Dict(), metadata={"description": f"{ROWS} in the replay."})
