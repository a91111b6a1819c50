"""Snapshots as JSON."""

from __future__ import annotations

import re

import marshmallow as ma
from marshmallow import fields, validate

from app.api.pages import number
from app.api.schemas.base import CamelSchema, Cursor, QueryInteger, page_schema, page_size
from app.models.snapshot import Listed, Place

_LABEL = re.compile(r"[0-9-]{0,10}", re.ASCII)
_MOST_RUNS = 10**18 - 1
_CLAIM = "What the commit says of itself, which anybody who commits may write."


def place(listed: Listed) -> str:
    """Give the key of a snapshot's place among the newest first."""
    return f"{listed.snapshot.position} {listed.snapshot.label}"


def read_place(key: str) -> Place:
    """Give a key that is a snapshot's place.

    Raises:
        ValueError: it is none.
    """
    position, _, label = key.partition(" ")
    if not _LABEL.fullmatch(label):
        raise ValueError("not a label")
    return number(position), label


def _day(about: str) -> fields.Date:
    return fields.Date(load_default=None, metadata={"description": about, "maxLength": 10, "example": "2026-01-31"})


class SnapshotQuery(ma.Schema):
    """Which snapshots, newest first."""

    since = _day("The first day.")
    until = _day("The last day.")
    run = QueryInteger(
        load_default=None,
        validate=validate.Range(1, _MOST_RUNS),
        metadata={"description": "Only what this run brought."},
    )
    limit = page_size()
    cursor = Cursor(read_place, load_default=None)


class SnapshotSchema(CamelSchema):
    """The data that one commit brought, or the files of one date among them."""

    date = fields.Date(
        attribute="snapshot.dated_on",
        metadata={"description": "The date in the names of its files, else the day of its commit, in UTC."},
    )
    commit = fields.String(attribute="snapshot.commit", metadata={"example": "9d97b71f0c6b..."})
    label = fields.String(
        attribute="snapshot.label",
        metadata={"description": "The date in the names of its files; empty where they have none."},
    )
    committed_time = fields.AwareDateTime(attribute="snapshot.committed_at")
    subject = fields.String(
        attribute="snapshot.subject", metadata={"description": "The first line of the commit's message."}
    )
    files = fields.Integer(
        attribute="snapshot.files", metadata={"description": "How many files were added or changed."}
    )
    rows = fields.Integer(
        attribute="snapshot.rows",
        allow_none=True,
        metadata={"description": "Lines of these files, headers included; null where none is text."},
    )
    bytes = fields.Integer(
        attribute="snapshot.bytes",
        allow_none=True,
        metadata={"description": "Their bytes; null where the clone does not have the contents."},
    )
    run_id = fields.Integer(
        allow_none=True, metadata={"description": "The run of this node that is on record with the commit, or null."}
    )
    node = fields.String(attribute="snapshot.node", allow_none=True, metadata={"description": _CLAIM})
    tool = fields.String(attribute="snapshot.tool", allow_none=True, metadata={"description": _CLAIM})
    image = fields.String(attribute="snapshot.image", allow_none=True, metadata={"description": _CLAIM})
    control_metric = fields.Float(attribute="snapshot.control_metric", allow_none=True)
    verdict = fields.String(
        allow_none=True, metadata={"description": "How the run's data were judged, where its record is here."}
    )


class SnapshotPage(page_schema(SnapshotSchema, "SnapshotItems")):  # type: ignore[misc]
    """A page of snapshots."""

    is_complete = fields.Boolean(
        data_key="isComplete",
        required=True,
        metadata={"description": "Whether all commits of the clone have been looked at; if not, more may come."},
    )
