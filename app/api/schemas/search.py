"""What runs are searched by, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marshmallow import fields, validate

from app.api.pages import position
from app.api.schemas import limits
from app.api.schemas.base import PAGE_DEFAULT, PAGE_MOST, CamelSchema, Cursor, Instant, Whole, obeys
from app.api.schemas.runs import STATUSES
from app.models.run import Cause, QuarantineState
from app.services.tool_rules import RULES

WORD_LENGTH = 255
TEXT_LENGTH = 200
STATES_MOST = 20
LABELS_MOST = 20


def _equal(about: str, example: str) -> fields.String:
    return fields.String(validate=validate.Length(max=WORD_LENGTH), metadata={"description": about, "example": example})


def _few(labels: Mapping[str, str]) -> Iterable[str]:
    if len(labels) > LABELS_MOST:
        yield f"Must be at most {LABELS_MOST} labels."


class RunSearch(CamelSchema):
    """Which runs; each key that is left out restricts nothing."""

    submitter = _equal("The token by which it was asked for.", "ci")
    owner = _equal("Whose runs.", "archive-group")
    tool = _equal("Of which tool.", "spike")
    job_id = _equal("Fired by which job.", "spike")
    parent_id = Whole(
        validate=validate.Range(1, 2**63 - 1), metadata={"description": "Submitted again, of which first run."}
    )
    states = fields.List(
        fields.String(validate=validate.Length(max=40), metadata={"enum": STATUSES}),
        validate=validate.Length(1, STATES_MOST),
        metadata={"description": "In any of these states."},
    )
    cause = fields.String(
        validate=validate.OneOf([str(cause) for cause in Cause]), metadata={"description": "Why it ended so."}
    )
    labels = fields.Dict(
        keys=fields.String(),
        values=limits.line(),
        validate=[obeys(_few), obeys(RULES["labels"])],
        metadata={"description": "All of these are among its labels.", "maxProperties": LABELS_MOST},
    )
    text = fields.String(
        validate=validate.Length(max=TEXT_LENGTH),
        metadata={"description": "Words of its description; the last may be the beginning of one.", "example": "harv"},
    )
    defined_from = Instant(metadata={"description": "Defined then or later.", "example": "2026-11-01T00:00:00Z"})
    defined_to = Instant(metadata={"description": "Defined before this instant."})
    image_digest = _equal("Made with the image of this digest, or of its first 7 digits or more.", "sha256:...")
    input_commit = _equal("Which commit of the data it found; 7 digits are enough.", "7648f03")
    output_commit = _equal(
        "Which commit holds its data, or held it before it was pushed; 7 digits are enough.", "9d97b71"
    )
    quarantine_state = fields.String(
        validate=validate.OneOf([str(state) for state in QuarantineState]),
        metadata={"description": "What became of its files that were kept out of the data; held waits for a decision."},
    )
    limit = Whole(
        load_default=PAGE_DEFAULT,
        validate=validate.Range(1, PAGE_MOST),
        metadata={"description": "How many items at most."},
    )
    cursor = Cursor(position, load_default=None)
