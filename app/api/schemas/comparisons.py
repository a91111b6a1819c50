"""A comparison of two snapshots as JSON."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.api.schemas.base import CamelSchema, QueryInteger, obeys
from app.api.schemas.limits import between
from app.services.comparisons import FORMS, LIMITS, SCOPES, key_rule
from app.services.snapshot_references import REFERENCE_LENGTH

KEY_LENGTH = 2000
_DEFAULT_LIMIT = 1000


def _reference(name: str, default: str, about: str) -> fields.String:
    return fields.String(
        data_key=name,
        load_default=default,
        validate=validate.Length(1, REFERENCE_LENGTH),
        metadata={"description": about, "maxLength": REFERENCE_LENGTH, "example": default},
    )


class Columns(fields.String):
    """Names of columns in one text, divided by commas."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        return [name.strip() for name in text.split(",") if name.strip()]


class ComparisonQuery(ma.Schema):
    """Which snapshots to compare, and how."""

    old = _reference("from", "previous", "The older snapshot: `latest`, `previous`, a day, `run:17`, or a commit.")
    new = _reference("to", "latest", "The newer snapshot.")
    key = Columns(
        load_default=[],
        validate=obeys(key_rule),
        metadata={
            "description": "Columns that say which row is which, divided by commas. Default: those of the entry.",
            "maxLength": KEY_LENGTH,
        },
    )
    scope = fields.String(
        load_default=SCOPES[0],
        validate=validate.OneOf(SCOPES),
        metadata={"description": "`snapshot`: the files that the two brought. `tree`: all files of the two commits."},
    )
    form = fields.String(
        data_key="format",
        load_default=FORMS[0],
        validate=validate.OneOf(FORMS),
        metadata={"description": "In another form than `json` the field `text` takes the place of `files`."},
    )
    limit = QueryInteger(
        load_default=_DEFAULT_LIMIT,
        validate=validate.Range(*LIMITS),
        metadata={"description": "How many differences to give at most; counts are always whole.", **between(*LIMITS)},
    )


class SnapshotName(CamelSchema):
    """What names a snapshot for good."""

    commit = fields.String()
    label = fields.String()


class ComparisonSchema(ma.Schema):
    """What differs between two snapshots."""

    old = fields.Nested(SnapshotName, data_key="from")
    new = fields.Nested(SnapshotName, data_key="to")
    key = fields.List(fields.String(), metadata={"description": "The columns compared by; empty for whole rows."})
    scope = fields.String()
    isIdentical = fields.Boolean()
    isCut = fields.Boolean(metadata={"description": "Whether differences are left out."})
    counts = fields.Dict(metadata={"description": "How many rows there are in all tables, and how many differ."})
    fileCounts = fields.Dict(metadata={"description": "How many files are identical, changed, added and removed."})
    files = fields.List(
        fields.Dict(),
        metadata={"description": "Each file: its status, counts, change of columns, differences and problems."},
    )
    text = fields.String(metadata={"description": "The answer in the form that was asked for."})
